"""`final_model/`: adapter, tokenizer and model card in the Hugging Face format, and on request the merged weights."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

from trackhub.files import first_free
from trackhub_trainer.model import TINY

MERGED = "merged"
"""The folder of the merged model, below that of the final one."""

WriteCard = Callable[[Path, bool], None]
"""Writes the model card into a folder; the second argument tells whether the merged model lies there."""


def save(model: Any, tokenizer: Any, base_model: str, folder: Path, card: WriteCard, merge: bool = False) -> None:
    """Write the adapter, the tokenizer and the card; `AutoPeftModelForCausalLM.from_pretrained(folder)` loads them.

    The adapter names its base by path or hub name. The built-in tiny base is copied beside it, so that the folder
    does not depend on this installation. A .gguf base is named, but peft cannot load one by itself; merged weights
    need no base. An earlier final model is moved aside: a card that somebody has completed is not lost.

    Args:
        model: with its adapter. With `merge` it is used up: its layers hold the adapter's part from then on.
        tokenizer: of the base.
        base_model: as given by the user.
        folder: where to.
        card: writes the model card.
        merge: write the merged model, too, to ``merged`` below `folder`.
    """
    _move_aside(folder)
    settings = model.peft_config["default"]
    if base_model == "tiny":
        shutil.copytree(TINY, folder / "base")
        settings.base_model_name_or_path = str(folder / "base")
    elif base_model.endswith(".gguf"):
        settings.base_model_name_or_path = str(Path(base_model).expanduser().absolute())
    # Embeddings are never trained here; "auto" would ask the hub whether they were resized.
    model.save_pretrained(folder, save_embedding_layers=False)
    tokenizer.save_pretrained(folder)
    card(folder, False)  # over the empty form that peft leaves
    if merge:
        _serializable(model.merge_and_unload(safe_merge=True)).save_pretrained(folder / MERGED)
        tokenizer.save_pretrained(folder / MERGED)
        card(folder / MERGED, True)
    _as_readable_as(folder / "README.md", folder.rglob("*.safetensors"))


def _as_readable_as(file: Path, others: Iterable[Path]) -> None:
    """safetensors writes for its owner's eyes only; a folder that is shared holds whole models, not half ones."""
    for other in others:
        other.chmod(file.stat().st_mode)


def _move_aside(folder: Path) -> None:
    """A training that goes on after its end has left a final model already."""
    if folder.exists():
        folder.rename(first_free(folder.with_name(f"{folder.name}-before-{number}") for number in count(1)))


def _serializable(model: Any) -> Any:
    """transformers refuses to save what came from a .gguf file, although its weights are plain numbers by now."""
    if getattr(getattr(model, "hf_quantizer", None), "is_serializable", lambda: True)():
        return model
    import torch

    settings = copy.deepcopy(model.config)
    del settings.quantization_config
    with torch.device("meta"):
        plain = type(model)(settings)
    plain.load_state_dict(model.state_dict(), strict=True, assign=True)
    plain.tie_weights()
    plain.generation_config = model.generation_config
    return plain
