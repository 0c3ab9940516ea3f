"""The adapter's settings: those of the trainer, and any other of peft's `LoraConfig`, passed through as it is."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any

import yaml

from trackhub_trainer.config import Config

OURS = {
    "r": "--lora-r",
    "lora_alpha": "--lora-alpha",
    "lora_dropout": "--lora-dropout",
    "target_modules": "--lora-targets",
}
"""Fields of `LoraConfig` that are settings of the trainer."""
NOT_OURS = ("task_type", "peft_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode")
"""Fields that follow from what is trained."""
FIRST = (True, False, "gaussian", "orthogonal", "pissa", "olora")
"""What ``init_lora_weights`` may be."""
UNFIT = {
    "eva": "wants a pass over the data before training, which the trainer does not make",
    "corda": "wants a pass over the data before training, which the trainer does not make",
    "lora_ga": "wants a pass over the data before training, which the trainer does not make",
    "loftq": "quantizes the base model, and the saved adapter would not fit the original one",
    "pissa_niter": "draws random numbers that whoever loads the adapter would draw anew: use pissa",
}
"""What it may not be: the saved adapter would be wrong, or not what the name says."""


def given(raw: Any) -> tuple[dict[str, Any], list[str]]:
    """(fields, problems) of ``--lora FIELD=VALUE``, repeated, or of a mapping in YAML. A value is read as YAML."""
    if isinstance(raw, Mapping):
        return {str(name): value for name, value in raw.items()}, []
    texts = [raw] if isinstance(raw, str) else raw
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and "=" in text for text in texts):
        return {}, ["--lora wants FIELD=VALUE, such as use_dora=true, or in YAML lora: {use_dora: true}"]
    found, problems = {}, []
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            problems.append(f"--lora {text}: the value is no valid YAML")
    return found, problems


def problems(config: Config) -> list[str]:
    """What is wrong with ``--lora``: checked against peft's own fields, and by peft's own checks."""
    wanted, found = given(config.lora)
    if not wanted:
        return found
    from peft import LoraConfig

    known = {field.name: field for field in fields(LoraConfig)}
    for name, value in wanted.items():
        if problem := _of_field(name, value, known):
            found.append(f"--lora {name}={value}: {problem}")
    if not found:
        try:
            settings(config)
        except (ValueError, TypeError, ImportError) as error:
            found.append(f"--lora: peft says: {' '.join(str(error).split())}")
    return found


def _of_field(name: str, value: Any, known: Mapping[str, Field[Any]]) -> str:
    if name in OURS:
        return f"that is {OURS[name]}"
    if name in NOT_OURS:
        return "that follows from what is trained: leave it out"
    if name not in known:
        close = difflib.get_close_matches(name, known.keys() - set(NOT_OURS), n=3, cutoff=0.5)
        return "no field of peft's LoraConfig." + (f" Close matches: {', '.join(close)}." if close else "")
    if name == "init_lora_weights":
        return _of_first(value)
    wants_bool = isinstance(known[name].default, bool) and not isinstance(value, bool)
    return "must be true or false" if wants_bool else ""


def _of_first(value: Any) -> str:
    if value in FIRST:
        return ""
    known = ", ".join(str(one).lower() for one in FIRST)
    return next((f"that {why}" for name, why in UNFIT.items() if str(value).startswith(name)), f"is none of {known}")


def settings(config: Config, **changes: Any) -> Any:
    """The `LoraConfig` of a training."""
    from peft import LoraConfig

    wanted, _ = given(config.lora)
    targets = "all-linear" if config.lora_targets == ("all-linear",) else list(config.lora_targets)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=config.lora_r,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=targets,
        **{**wanted, **changes},
    )
