"""Where the questions of a data set come from: a folder of files, files of any name, or the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trackhub_trainer import hub
from trackhub_trainer.data import Data, Split, split
from trackhub_trainer.lines import entries
from trackhub_trainer.tasks import Task

BUILT_IN = Path(__file__).parent / "assets"
NAMES = ("{name}_{split}_formatted.jsonl", "{name}_{split}.jsonl", "{split}.jsonl")
"""What the file of a split may be called, in this order: lines, then rows as the hub has them."""

Found = tuple[Split, list[str]]
"""Questions, and what is wrong with them."""


def read(
    task: Task, data_dir: Path, source: str = "files", given: Mapping[str, Path] | None = None, skip: bool = False
) -> tuple[Data, list[str]]:
    """(the data, what is wrong with it). With problems, the data is not to be used.

    Args:
        task: the data set.
        data_dir: the folder that holds its folder.
        source: ``files``, or ``hub``.
        given: by the name of a split, the file that it is read from instead.
        skip: leave broken lines out.
    """
    reader = Reader(task, data_dir, source == "hub", given or {}, skip)
    train = reader.split("train")
    validation = reader.split("validation") if reader.has("validation") else None
    from_validation = not reader.has_test()
    test = validation if validation and from_validation else reader.split("test")
    data = Data(
        train.questions,
        test.questions,
        train.where,
        test.where,
        from_validation,
        validation.questions if validation else (),
        validation.where if validation else None,
        tuple(reader.skipped),
    )
    return data, reader.missing() or reader.problems


class Reader:
    """Reads the splits of one data set; the arguments are those of `read`.

    Attributes:
        problems: what was wrong with the splits that were read.
        skipped: the broken lines that were left out.
    """

    def __init__(self, task: Task, data_dir: Path, on_hub: bool, given: Mapping[str, Path], skip: bool) -> None:
        self._task = task
        self._on_hub = on_hub
        self._given = given
        self._skip = skip
        self.problems: list[str] = []
        self.skipped: list[str] = []
        self._folder = folder(task, data_dir, given.get("train"))

    def has_test(self) -> bool:
        """Whether there is a labelled test file: a file that was given for it counts as one for any data set."""
        return self.has("test") and (self._task.labelled_test or "test" in self._given)

    def has(self, name: str) -> bool:
        """Whether there is such a split; the hub has them all, but some tests without their labels."""
        if name in self._given:
            return True
        if self._on_hub:
            return name != "test" or self._task.labelled_test
        return self._file(name).exists()

    def split(self, name: str) -> Split:
        """The questions of a split; what is wrong with them is kept."""
        found, problems = self._read(name)
        self.problems += problems
        self.skipped += found.skipped
        return found

    def _read(self, name: str) -> Found:
        if name in self._given or not self._on_hub:
            return file(self._task, self._given.get(name) or self._file(name), self._skip)
        if self.problems:  # a hub that cannot be reached is waited for once
            return Split(Path(f"hub:{name}")), []
        return hub.split(self._task, name, self._skip)

    def missing(self) -> list[str]:
        """The one problem that is behind all others, if it is."""
        train, name = self._given.get("train"), self._task.name
        if train is not None and train.exists() and not any(map(self.has, ("validation", "test"))):
            return [f"no questions to measure on for {train}: --test-file FILE names them"]
        if self._on_hub or train is not None or "test" in self._given or self._folder.is_dir():
            return []
        wanted = f"DIR/{name}/{name}_train_formatted.jsonl"
        return [f"no folder {self._folder}: --data-dir DIR names the folder that holds {wanted}"]

    def _file(self, name: str) -> Path:
        """The file of a split; where there is none, the name that it should have."""
        names = [self._folder / pattern.format(name=self._task.name, split=name) for pattern in NAMES]
        return next((path for path in names if path.exists()), names[0])


def folder(task: Task, data_dir: Path, train: Path | None = None) -> Path:
    """The folder of a data set: its own, or where the file lies that it is trained on; the sample ships with us."""
    given = data_dir / task.name
    if given.is_dir():
        return given
    if train is not None:
        return train.parent
    return BUILT_IN / "sample" if task.name == "sample" else given


def file(task: Task, path: Path, skip: bool = False) -> Found:
    """The questions of a file."""
    try:
        return split(task, path, entries(path), skip)
    except OSError as error:
        return Split(path), [f"{path} cannot be read: {error.strerror}"]
