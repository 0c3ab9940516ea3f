"""Base models and adapters."""

from __future__ import annotations

from pathlib import Path

import pytest
from trackhub_trainer import model
from trackhub_trainer.config import Config

from trackhub.errors import ConfigError


def test_the_outline_counts_what_the_model_trains() -> None:
    """The plan's numbers are those of the training, without any weights."""
    outline = model.with_adapter(model.outline("tiny"), Config())
    base, _ = model.load("tiny")
    assert model.trainable(outline) == model.trainable(model.with_adapter(base, Config())) == 49_152
    assert {weight.device.type for weight in outline.parameters()} == {"meta"}


@pytest.mark.parametrize(("targets", "trained"), [(("q_proj",), 6_144), (("all-linear",), 49_152)])
def test_one_layer_or_all(targets: tuple[str, ...], trained: int) -> None:
    """A single name is a name, not a pattern."""
    adapted = model.with_adapter(model.outline("tiny"), Config(lora_targets=targets))
    assert model.trainable(adapted) == trained


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("./nowhere", "no such folder"),
        ("/nowhere/at/all", "no such folder"),
        ("a/b/c", "no such folder"),
        ("nowhere.gguf", "no such file"),
        ("{folder}", "holds no config.json"),
        ("{folder}/file.txt", "neither a folder nor a .gguf file"),
    ],
)
def test_places_that_hold_no_model(tmp_path: Path, given: str, said: str) -> None:
    """Told before anything is loaded."""
    (tmp_path / "file.txt").write_text("x")
    [problem] = model.problems(given.format(folder=tmp_path))
    assert said in problem


@pytest.mark.parametrize("given", ["tiny", "gpt2", "HuggingFaceTB/SmolLM2-135M"])
def test_names_that_may_be_models(given: str) -> None:
    """Hub names are not looked up here."""
    assert model.problems(given) == []


def test_a_folder_with_a_broken_configuration_is_one_line(tmp_path: Path) -> None:
    """Not a library's page."""
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError) as error:
        model.load(str(tmp_path))
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)
