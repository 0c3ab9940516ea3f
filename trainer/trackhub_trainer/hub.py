"""The data sets on the Hugging Face hub, by name; their rows go the way of all raw rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trackhub_trainer import quiet
from trackhub_trainer.data import Split
from trackhub_trainer.data import split as split_of
from trackhub_trainer.rows import Row
from trackhub_trainer.tasks import Task

HUB: dict[str, tuple[str, str | None]] = {
    "arc-challenge": ("allenai/ai2_arc", "ARC-Challenge"),
    "arc-easy": ("allenai/ai2_arc", "ARC-Easy"),
    "boolq": ("google/boolq", None),
    "hellaswag": ("Rowan/hellaswag", None),
    "openbookqa": ("allenai/openbookqa", "main"),
    "piqa": ("baber/piqa", None),
    "winogrande": ("allenai/winogrande", "winogrande_xl"),
}
"""(repository, configuration) of each data set. The makers' own PIQA is a script, which `datasets` no longer runs."""

Load = Callable[..., Iterable[Row]]
"""As `datasets.load_dataset` with a split."""


def problems(task: Task) -> list[str]:
    """What keeps a data set from coming from the hub, as far as it can be seen without asking it."""
    if task.name in HUB:
        return []
    return [f"--source hub has no {task.name}; it has {', '.join(HUB)}"]


def split(task: Task, name: str, skip: bool = False, load: Load | None = None) -> tuple[Split, list[str]]:
    """(the questions of a split, its problems), from the hub or from the cache on this machine.

    Args:
        task: one of `HUB`.
        name: ``train``, ``validation`` or ``test``.
        skip: leave broken rows out.
        load: in the place of `datasets.load_dataset`.
    """
    repository, configuration = HUB[task.name]
    where = Path("hub:" + "/".join(part for part in (repository, configuration, name) if part))
    try:
        rows = list((load or _load)(repository, configuration, split=name))
    except ImportError:
        return Split(where), ["--source hub needs the datasets library: pip install 'trackhub-ml[hub]'"]
    except Exception as error:  # noqa: BLE001 - the hub's errors have no common base
        return Split(where), [_unreachable(where, error)]
    return split_of(task, where, enumerate(rows), skip)


def _load(*arguments: Any, **options: Any) -> Iterable[Row]:
    from datasets import load_dataset

    quiet.take_handlers()
    rows: Iterable[Row] = load_dataset(*arguments, **options)
    return rows


def _unreachable(where: Path, error: Exception) -> str:
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return f"{where} cannot be loaded from {endpoint}: {first} (offline: --data-dir DIR, with files)"
