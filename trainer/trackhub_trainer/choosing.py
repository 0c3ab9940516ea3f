"""Which data set `--dataset` means, and which files were named for it."""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from pathlib import Path

from trackhub_trainer import cloze, hub, sources
from trackhub_trainer.config import Config
from trackhub_trainer.data import Data, Split
from trackhub_trainer.lines import entries, parsed
from trackhub_trainer.sources import Reader
from trackhub_trainer.tasks import TASKS, Task

SPLITS = ("train", "validation", "test")
ENDINGS = ("_formatted", "_train")
"""What the names of data files end in, beside the name of the data set."""


def read(config: Config) -> tuple[Task | None, Data | None, list[str]]:
    """(the data set, its questions, what is wrong with them)."""
    given = _given(config)
    task, wrong = _named(config, given.get("train", Path(config.dataset)))
    if task is None or wrong:
        return task, None, wrong
    data_dir = Path(config.data_dir).expanduser()
    found, problems = sources.read(task, data_dir, config.source, given, config.skip_bad_lines)
    return task, found, problems or [*_unmeasured(config, found), *(_unasked(config, task, found))]


def to_measure(config: Config, as_given: bool) -> tuple[Task | None, Split, list[str]]:
    """(the data set, the questions that it is measured on, what is wrong with them); nothing else is read.

    Args:
        config: the settings.
        as_given: a file as data set is what is measured; else it was trained on, and its siblings are measured.
    """
    given = _given(config)
    if as_given and is_file(config.dataset):
        given = {"test": given["train"]}
    task, wrong = _named(config, Path(config.dataset).expanduser())
    if task is None or wrong:
        return task, Split(Path()), wrong
    on_hub = config.source == "hub"
    reader = Reader(task, Path(config.data_dir).expanduser(), on_hub, given, config.skip_bad_lines)
    found = reader.split("validation" if not reader.has_test() and reader.has("validation") else "test")
    return task, found, reader.missing() or reader.problems


def _named(config: Config, file: Path) -> tuple[Task | None, list[str]]:
    """(the data set that is meant, what speaks against it); where it is a file, `file` says of what kind."""
    task = TASKS.get(config.dataset) or (_own(file) if is_file(config.dataset) else None)
    if task is None:
        return None, [_unknown(config.dataset)]
    return task, hub.problems(task) if config.source == "hub" else []


def name_of(file: Path) -> str:
    """The data set of a file: its name without ``_train_formatted.jsonl``."""
    name = file.stem
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name or file.stem


def given_name(config: Config) -> str | None:
    """The name that the user gave; None if they gave none."""
    return config.name or os.environ.get("EXPERIMENT_NAME") or None


def run_name(config: Config) -> str:
    """What the run is called, or else runs of this data set; a run's folder carries the time behind it."""
    if given := given_name(config):
        return given
    name = name_of(Path(config.dataset)) if is_file(config.dataset) else config.dataset
    return f"{name}_lora"


def _unmeasured(config: Config, found: Data) -> list[str]:
    """What ``--eval-every`` lacks, and what lacks it."""
    if config.eval_every and not found.validation:
        return ["--eval-every wants validation questions, and there are none: --validation-file FILE names them"]
    deciding = [f"--save {text}" for text in config.save if "@val/" in text]
    deciding += [f"--early-stop {config.early_stop}"] if (config.early_stop or "").startswith("val/") else []
    if config.eval_every:
        return []
    return [f"{option} goes by a metric that nothing measures: give --eval-every N too" for option in deciding]


def _unasked(config: Config, task: Task, found: Data) -> list[str]:
    """Test questions that lm-evaluation-harness could not ask."""
    if not config.cloze:
        return []
    return cloze.problems(task, Split(found.test_file, found.test[: config.eval_limit or None]), "leave --cloze out")


def _given(config: Config) -> dict[str, Path]:
    """The files that were named, by split."""
    named = {name: getattr(config, f"{name}_file") for name in SPLITS}
    if is_file(config.dataset) and not named["train"]:
        named["train"] = config.dataset
    return {name: Path(path).expanduser() for name, path in named.items() if path}


def is_file(dataset: str) -> bool:
    """Whether ``--dataset`` names a file, there or not, and not a data set."""
    return dataset not in TASKS and (Path(dataset).suffix in (".jsonl", ".json") or Path(dataset).is_file())


def _own(file: Path) -> Task:
    """A data set of the user's own; the `task_type` of its first line says what kind it is."""
    kind = _kind(file)
    like = next((task for task in TASKS.values() if task.task_type == kind), TASKS["sample"])
    return replace(like, name=name_of(file), labelled_test=True)


def _kind(file: Path) -> object:
    """What the first line that can be read says about itself; None if there is none."""
    try:
        return next((parsed(content).get("task_type") for _, content in entries(file)), None)
    except (OSError, ValueError):
        return None


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name, TASKS, n=3, cutoff=0.5)
    hint = f" Close matches: {', '.join(close)}." if close else ""
    return f"--dataset {name}: not among {', '.join(TASKS)}, and no .jsonl file.{hint}"
