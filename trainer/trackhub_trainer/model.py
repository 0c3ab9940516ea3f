"""The base model, from wherever it comes, and the LoRA adapter on it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trackhub.errors import ConfigError
from trackhub_trainer import lora
from trackhub_trainer.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = Path(__file__).parent / "assets" / "tiny"


@dataclass(frozen=True)
class Base:
    """Where a base model is found, as transformers wants it."""

    name: str
    gguf_file: str | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """Further arguments of `from_pretrained`."""
        return {} if self.gguf_file is None else {"gguf_file": self.gguf_file}


def base(given: str) -> Base:
    """``--base-model`` as a place."""
    path = Path(given).expanduser()
    if given == "tiny":
        return Base(str(TINY))
    if path.suffix == ".gguf":
        return Base(str(path.absolute().parent), path.name)
    return Base(str(path.absolute()) if path.exists() else given)


def problems(given: str) -> list[str]:
    """What is wrong with ``--base-model``, as far as it can be seen without loading anything."""
    path = Path(given).expanduser()
    if given == "tiny":
        return []
    if path.suffix == ".gguf":
        return [] if path.is_file() else [f"--base-model {given}: no such file"]
    if path.is_dir():
        return [] if (path / "config.json").is_file() else [f"--base-model {given}: the folder holds no config.json"]
    if path.exists():
        return [f"--base-model {given}: neither a folder nor a .gguf file"]
    if not re.fullmatch(r"[\w.\-]+(/[\w.\-]+)?", given) or given.startswith("."):
        return [f"--base-model {given}: no such folder"]
    return []


def load(given: str, four_bit: bool = False) -> tuple[Any, Any]:
    """(base model in 32 bit, or quantized to 4, tokenizer).

    Raises:
        ConfigError: it cannot be loaded, in one line.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = base(given)
    with _clearly(given):
        import torch

        tokenizer = AutoTokenizer.from_pretrained(place.name, **place.arguments)
        extra = {**place.arguments, **(_four_bit() if four_bit else {})}
        model = AutoModelForCausalLM.from_pretrained(place.name, dtype=torch.float32, **extra)
    return model, tokenizer


def _four_bit() -> dict[str, Any]:
    """QLoRA's way: normal floats of 4 bit with quantized constants (Dettmers et al. 2023), on this rank's GPU."""
    import torch
    from transformers import BitsAndBytesConfig

    kind = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    quantized = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=kind
    )
    return {"quantization_config": quantized, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def outline(given: str) -> Any:
    """The model's architecture without weights, on the meta device: cheap, for counting.

    Raises:
        ConfigError: its configuration cannot be read.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    place = base(given)
    with _clearly(given), torch.device("meta"):
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(place.name, **place.arguments))


@contextmanager
def _clearly(given: str) -> Iterator[None]:
    """One line for the user instead of a library's page."""
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError) as error:
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        where = f" (hub: {os.environ['HF_ENDPOINT']})" if "HF_ENDPOINT" in os.environ else ""
        raise ConfigError(f"--base-model {given} cannot be loaded{where}: {first}") from error


def with_adapter(model: Any, config: Config, **changes: Any) -> Any:
    """The model with a fresh LoRA adapter; everything else is frozen.

    Args:
        model: the base.
        config: its LoRA settings.
        changes: of peft's `LoraConfig`.

    Raises:
        ConfigError: it has no layers of these names, or peft does not take the settings for it.
    """
    from peft import get_peft_model

    if config.load_4bit:
        from peft import prepare_model_for_kbit_training

        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    if config.gradient_checkpointing:
        # transformers renames it: the old name is for releases that do not have the new one.
        enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    try:
        return get_peft_model(model, lora.settings(config, **changes))
    except ValueError as error:
        if "target modules" in str(error).lower():
            raise ConfigError(f"--lora-targets {','.join(config.lora_targets)}: {_layers(model)}") from error
        raise ConfigError(f"--lora: peft says: {' '.join(str(error).split())}") from error


def _layers(model: Any) -> str:
    """The names that would do."""
    import torch

    linear = {name.rpartition(".")[2] for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}
    return f"the model has no such layers; it has {', '.join(sorted(linear)) or 'no linear ones'}"


def trainable(model: Any) -> int:
    """How many parameters are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
