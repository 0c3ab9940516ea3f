"""The command line as a user runs it, and data files to run it on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Trainer = Callable[..., "subprocess.CompletedProcess[str]"]


def command(*arguments: str) -> list[str]:
    """The command line of `trainer` in this environment."""
    return [str(Path(sys.executable).with_name("trainer")), *arguments]


def only_run(runs: Path) -> Path:
    """The folder of the one run under `runs`."""
    [found] = [path for path in runs.iterdir() if (path / "journal").is_dir()]
    return found


def write_lines(folder: Path, dataset: str, **splits: list[Any]) -> Path:
    """Data files of one data set; lines are objects or raw text. Returns the folder for ``--data-dir``."""
    (folder / dataset).mkdir(parents=True, exist_ok=True)
    for split, lines in splits.items():
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        (folder / dataset / f"{dataset}_{split}_formatted.jsonl").write_text("\n".join(texts) + "\n")
    return folder


def line(**changes: Any) -> dict[str, Any]:
    """A good line of a data file, with changes."""
    good = {
        "id": "x",
        "dataset": "arc-challenge",
        "task_type": "multiple_choice",
        "input": "Which is a tool?",
        "options": ["A: pear", "B: hammer", "C: dog"],
        "target": "B",
        "target_idx": 1,
    }
    return {**good, **changes}
