"""Settings from a YAML file: flat or in sections, or the config.yaml of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trackhub_trainer.config import FIELDS

ALIASES = {
    "bs": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "gradient_accumulation_steps": "accumulate",
    "dataloader_num_workers": "workers",
    "max_grad_norm": "clip",
    "gradient_clip_val": "clip",
    "lr_scheduler_type": "schedule",
    "load_in_4bit": "load_4bit",
    "torch_compile": "compile",
    "learning_rate": "lr",
    "learning_rate_stage1": "lr",
    "learning_rate_stage2": "lr2",
    "stage1_learning_rate": "lr",
    "stage2_learning_rate": "lr2",
    "lora_lora_alpha": "lora_alpha",
    "lora_lora_dropout": "lora_dropout",
    "lora_target_modules": "lora_targets",
    "target_modules": "lora_targets",
    "dataset_name": "dataset",
    "alpha": "lora_alpha",
    "dropout": "lora_dropout",
    "r": "lora_r",
    "experiment_name": "name",
    "experiment_description": "notes",
    "description": "notes",
}
"""Other names of settings; those of the traditional files among them."""

OPAQUE = ("trackers", "tracker_opt", "lineage")
"""Names whose value is a mapping, not a section."""

LORA = "lora"
"""The section whose other names are those of peft's `LoraConfig`, passed through."""

RECORDED = ("chosen", "using_validation_as_test", "skipped_lines", "lineage")
"""What a run's config.yaml tells about itself, beside the settings."""


def read(path: Path) -> tuple[dict[str, Any], list[str]]:
    """(settings by name, problems) of a file. Names that are no setting are left as they are."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"--config {path} cannot be read: {getattr(error, 'strerror', None) or error}"]
    except yaml.YAMLError as error:
        return {}, [f"--config {path} is no valid YAML: {_where(error)}"]
    if content is None:
        return {}, []
    if not isinstance(content, Mapping):
        return {}, [f"--config {path} holds no settings; it wants lines like `max_steps: 125`"]
    return named(_run_part(content))


def _where(error: Exception) -> str:
    """What is wrong with the YAML, and in which line, without the parser's drawing of the place."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return place + (getattr(error, "problem", None) or " ".join(str(error).split()))


def _run_part(content: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """The settings in a run's config.yaml lie under `config`; it holds `run` or `environment` beside."""
    inner = content.get("config")
    return inner if isinstance(inner, Mapping) and set(content) & {"run", "environment"} else content


def named(content: Mapping[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """(settings by name, problems) of nested settings, under whatever names they go."""
    settings: dict[str, Any] = {}
    problems = []
    for path, value in _leaves(content):
        name = _setting(path)
        if name not in FIELDS and path[0] == LORA:
            settings.setdefault(LORA, {})[".".join(path[1:])] = value
            continue
        if name in settings and settings[name] != value:
            problems.append(f"{name} is given twice: {settings[name]!r} and, as {'.'.join(path)}, {value!r}")
        settings[name] = value
    return settings, problems


def _leaves(content: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in content.items():
        here = (*path, str(key).replace("-", "_"))
        if isinstance(value, Mapping) and here[-1] not in OPAQUE and path != (LORA,):
            yield from _leaves(value, here)
        else:
            yield here, value


def _setting(path: tuple[str, ...]) -> str:
    """The setting that ``section.key`` means: ``section_key``, else ``key``; else the path as it was written."""
    for start in range(len(path)):
        name = "_".join(path[start:])
        name = ALIASES.get(name, name)
        if name in FIELDS or name in RECORDED:
            return name
    return ".".join(path)
