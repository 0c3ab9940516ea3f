"""The final model's folder: what loads it, what the hub reads, and what is never overwritten."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trackhub_trainer import card_facts, final_model
from trackhub_trainer.model_card import Card
from trackhub_trainer.preparing import Job, prepare
from trackhub_trainer.request import read

METRICS = {
    "train/loss": {"last": 0.25, "min": 0.2, "max": 3.0, "best": 0.2, "best_step": 7.0},
    "test/accuracy": {"last": 0.9, "min": 0.25, "max": 0.9},
    "system/cpu.percent": {"last": 1.0, "min": 1.0, "max": 1.0},
}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return prepare(read(["--trackers", "none", "--max-steps", "3"]))


@pytest.fixture
def card(job: Job) -> Card:
    return Card(job, "sample_lora_20260101_000000", METRICS, 3)


def output(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(input_ids=torch.arange(20)[None]).logits
    return logits


def test_merged_weights_load_alone_and_say_the_same(tmp_path: Path, tiny: Any, tokenizer: Any, card: Card) -> None:
    """Without peft, without the base; and the adapter beside them loads as ever."""
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    expected, folder = output(tiny), tmp_path / "final_model"
    final_model.save(tiny, tokenizer, "tiny", folder, card.write, merge=True)
    merged = AutoModelForCausalLM.from_pretrained(folder / "merged")
    assert not any("lora" in name for name in merged.state_dict())
    torch.testing.assert_close(output(merged), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(output(AutoPeftModelForCausalLM.from_pretrained(folder)), expected)
    assert AutoTokenizer.from_pretrained(folder / "merged").vocab_size == tokenizer.vocab_size
    assert "AutoModelForCausalLM" in (folder / "merged" / "README.md").read_text()
    assert "AutoPeftModelForCausalLM" in (folder / "README.md").read_text()
    assert (
        len({path.stat().st_mode for path in folder.rglob("*") if path.is_file() and path.parent.name != "base"}) == 1
    )


def test_a_model_from_a_gguf_file_can_be_merged(tmp_path: Path, tiny: Any, tokenizer: Any, card: Card) -> None:
    """transformers marks it as quantized, and would refuse to save it."""
    from transformers import AutoModelForCausalLM, GgufConfig
    from transformers.quantizers.auto import AutoHfQuantizer

    marked, expected = tiny.get_base_model(), output(tiny)
    marked.config.quantization_config = GgufConfig()
    marked.hf_quantizer = AutoHfQuantizer.from_config(marked.config.quantization_config)
    with pytest.raises(ValueError, match="not serializable"):
        marked.save_pretrained(tmp_path / "refused")
    final_model.save(tiny, tokenizer, "model.gguf", tmp_path / "final_model", card.write, merge=True)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "final_model" / "merged")
    torch.testing.assert_close(output(merged), expected, atol=1e-4, rtol=1e-4)


def test_the_card_is_one_that_the_hub_reads(tmp_path: Path, card: Card) -> None:
    from huggingface_hub import ModelCard

    card.write(tmp_path)
    read_back = ModelCard.load(tmp_path / "README.md")
    assert read_back.data.library_name == "peft"
    assert read_back.data.pipeline_tag == "text-generation"
    assert read_back.data.license is None, "the user's to choose"
    assert "base_model" not in read_back.data.to_dict(), "the hub takes nothing but names on the hub"
    [result] = read_back.data.eval_results or []
    assert (result.dataset_name, result.metric_type, result.metric_value) == ("sample", "accuracy", 0.9)
    for words in (
        "3 steps of 8 questions saw 24 of",
        "test/accuracy | 0.9 ",
        "train/loss | 0.25 | 0.2 | 3 ",
        "peft",
        "trackhub lineage",
    ):
        assert words in read_back.text
    assert "system/" not in read_back.text


def test_the_card_tells_of_data_from_the_hub_and_of_the_steps_that_were_done(job: Job, tmp_path: Path) -> None:
    """Fewer than planned after an early stop."""
    from dataclasses import replace

    hub = replace(job, data=replace(job.data, train_file=Path("hub:allenai/ai2_arc/ARC-Easy/train")))
    card = Card(hub, "r", {}, 2)
    card.write(tmp_path)
    assert card.head()["datasets"] == ["allenai/ai2_arc"]
    text = (tmp_path / "README.md").read_text()
    assert "`allenai/ai2_arc/ARC-Easy/train`" in text
    assert "2 steps of 8 questions saw 16 of" in text


def test_the_card_names_the_base_of_the_hub(job: Job, tmp_path: Path) -> None:
    from dataclasses import replace

    hub = replace(job, config=replace(job.config, base_model="HuggingFaceTB/SmolLM2-135M"))
    head = Card(hub, "r", {}, 0).head()
    assert (head["base_model"], head["base_model_relation"]) == ("HuggingFaceTB/SmolLM2-135M", "adapter")
    assert Card(hub, "r", {}, 0).head(merged=True)["base_model_relation"] == "finetune"


def test_the_command_on_the_card_tells_neither_keys_nor_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "hf_" + "a1B2c3D4e5F6g7H8i9" * 2
    given = ["/usr/bin/trainer", "--data-dir=/home/me/data", "--base-model", "/home/me/base", "--lr", "1e-4"]
    given += ["--notes", "~best so far", "--train-file", "~/mine/a.jsonl"]
    monkeypatch.setattr(sys, "argv", [*given, "--tracker-opt", f"swanlab.api_key={key}"])
    assert card_facts.command().startswith(
        "trainer --data-dir=data --base-model base --lr 1e-4 --notes '~best so far' --train-file a.jsonl "
    )
    assert key not in card_facts.command()


def test_an_earlier_final_model_is_moved_aside(tmp_path: Path, tiny: Any, tokenizer: Any, card: Card) -> None:
    """Its card may have been completed by hand."""
    folder = tmp_path / "final_model"
    for number in range(3):
        final_model.save(tiny, tokenizer, "tiny", folder, card.write)
        (folder / "README.md").write_text(f"mine {number}")
    names = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("final_model"))
    assert names == ["final_model", "final_model-before-1", "final_model-before-2"]
    assert (tmp_path / "final_model-before-2" / "README.md").read_text() == "mine 1"


def test_saving_writes_a_card_for_each_folder(tmp_path: Path, tiny: Any, tokenizer: Any) -> None:
    written: list[tuple[str, bool]] = []
    note: Callable[[Path, bool], None] = lambda folder, merged: written.append((folder.name, merged))  # noqa: E731
    final_model.save(tiny, tokenizer, "tiny", tmp_path / "final_model", note, merge=True)
    assert written == [("final_model", False), ("merged", True)]
