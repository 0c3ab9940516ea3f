"""Settings of peft's that are passed through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from trackhub_trainer import lora, model
from trackhub_trainer.config import Config
from trackhub_trainer.request import read

IDS = torch.arange(3, 23).view(1, -1)


def logits(found: Any) -> torch.Tensor:
    with torch.no_grad():
        return found.eval()(input_ids=IDS).logits


def test_values_are_read_as_yaml_and_reach_peft() -> None:
    """Yes and no, numbers, lists and mappings."""
    given = ("use_dora=true", "use_rslora=true", "exclude_modules=[lm_head]", "rank_pattern={q_proj: 4}")
    config = Config(lora=given)
    assert lora.problems(config) == []
    adapted = model.with_adapter(model.outline("tiny"), config)
    settings = adapted.peft_config["default"]
    assert (settings.use_dora, settings.use_rslora, settings.r) == (True, True, 16)
    assert {weight.shape[0] for name, weight in adapted.named_parameters() if "q_proj.lora_A" in name} == {4}
    assert any("lora_magnitude_vector" in name for name, _ in adapted.named_parameters())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("use_dra=true", "no field of peft's LoraConfig. Close matches: use_dora"),
        ("use_dora=maybe", "must be true or false"),
        ("r=8", "that is --lora-r"),
        ("target_modules=x", "that is --lora-targets"),
        ("inference_mode=true", "follows from what is trained"),
        ("init_lora_weights=pizza", "is none of true, false, gaussian, orthogonal, pissa, olora"),
        ("init_lora_weights=eva", "wants a pass over the data"),
        ("init_lora_weights=pissa_niter_4", "use pissa"),
        ("layers_pattern=x", "peft says: When `layers_pattern` is specified"),
        ("use_dora", "wants FIELD=VALUE"),
        ("bias=[", "is no valid YAML"),
    ],
)
def test_mistakes(given: str, said: str) -> None:
    """Checked against peft's own fields before anything is loaded."""
    [problem] = lora.problems(Config(lora=(given,)))
    assert problem.startswith("--lora")
    assert said in problem


def test_in_yaml_it_is_the_rest_of_the_section_lora(tmp_path: Path) -> None:
    """Beside the trainer's own settings."""
    path = tmp_path / "c.yaml"
    path.write_text("lora: {r: 8, dropout: 0.0, use_dora: true, rank_pattern: {q_proj: 4}}\n")
    request = read(["--config", str(path)])
    assert not request.problems
    assert (request.config.lora_r, request.config.lora_dropout) == (8, 0.0)
    assert request.config.lora == {"use_dora": True, "rank_pattern": {"q_proj": 4}}


@pytest.mark.parametrize("first", ["pissa", "olora"])
def test_first_weights_that_change_the_base_still_give_the_base_and_load_again(first: str, tmp_path: Path) -> None:
    """They take from the base what they put into the adapter; who loads the adapter takes it again."""
    from peft import AutoPeftModelForCausalLM

    base = logits(model.load("tiny")[0])
    adapted = model.with_adapter(model.load("tiny")[0], Config(lora=(f"init_lora_weights={first}",)))
    torch.testing.assert_close(logits(adapted), base, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.add_(0.05)
    adapted.peft_config["default"].base_model_name_or_path = str(model.TINY)
    adapted.save_pretrained(tmp_path, save_embedding_layers=False)
    again = AutoPeftModelForCausalLM.from_pretrained(tmp_path)
    torch.testing.assert_close(logits(again), logits(adapted), rtol=1e-3, atol=1e-3)
    assert (logits(adapted) - base).abs().max() > 0.1
