"""What a run's journal says of its lineage: the batches that count, and the checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from trackhub.errors import ConfigError
from trackhub.events import Batch, Checkpoint
from trackhub.journal.following import Follower
from trackhub.journal.state import writer_alive
from trackhub.layout import RunFolder


class Window(msgspec.Struct, frozen=True):
    """One checkpoint, and what went into the steps since the one before it.

    Attributes:
        step: of the checkpoint, counted from 1.
        path: of its file: absolute, where the run folder lies now.
        since: the step of the checkpoint before, 0 for the first.
        t: when it was saved, in Unix seconds.
        batches: of the steps `since` + 1 to `step`.
    """

    step: int
    path: Path
    since: int
    t: float
    batches: list[Batch]

    @property
    def lines(self) -> set[int]:
        """The lines that went into its steps."""
        return lines_of(self.batches)


class Use(msgspec.Struct, frozen=True):
    """One use of a line: in which step, epoch and rank, and the checkpoints that have seen it, by their steps."""

    step: int
    epoch: int
    rank: int
    checkpoints: list[int]


class Lineage:
    """The lineage of one run. Steps are counted from 1, lines and epochs from 0.

    Args:
        folder: the run.
        batches: those that count, in any order.
        checkpoints: those that count.
        losses: what of the journal cannot be read, in words.
    """

    def __init__(
        self, folder: RunFolder, batches: list[Batch], checkpoints: list[Checkpoint], losses: list[str]
    ) -> None:
        self.folder = folder
        self.batches = sorted(batches, key=attrgetter("step", "rank"))
        """By step and rank; of one step and rank in the order of time."""
        self.checkpoints = {one.step: one for one in sorted(checkpoints, key=attrgetter("step", "t"))}
        """By step, ascending."""
        self.losses = losses

    @property
    def dataset(self) -> str:
        """The name of the data; "" if the run gave it none."""
        return self.batches[0].dataset if self.batches else ""

    def steps(self) -> Iterator[tuple[int, list[Batch]]]:
        """(step, its batches), step by step."""
        return ((step, list(batches)) for step, batches in groupby(self.batches, attrgetter("step")))

    def uses(self, line: int) -> list[Use]:
        """Where a line was used, step by step."""
        batches = [batch for batch in self.batches if line in batch.lines]
        return [Use(one.step, one.epoch, one.rank, self.since(one.step)) for one in batches]

    def since(self, step: int) -> list[int]:
        """The checkpoints that have seen a step, by their own steps."""
        return [saved for saved in self.checkpoints if saved >= step]

    def totals(self) -> dict[str, Any]:
        """The whole run in numbers; `samples` is how often a line was used."""
        return {
            "run": self.folder.path.name,
            "dataset": self.dataset,
            "steps": len({batch.step for batch in self.batches}),
            "ranks": len({batch.rank for batch in self.batches}),
            "epochs": sorted({batch.epoch for batch in self.batches}),
            "lines": len(lines_of(self.batches)),
            "samples": sum(len(batch.lines) for batch in self.batches),
        }

    def seen(self, step: int) -> set[int]:
        """The lines that were used up to a step, itself included."""
        return lines_of([batch for batch in self.batches if batch.step <= step])

    def file(self, step: int) -> Path:
        """The file of a checkpoint, where the run folder lies now."""
        return self.folder.path / self.checkpoints[step].path

    def counts(self) -> Iterator[dict[str, Any]]:
        """Each checkpoint in numbers: `steps` since the one before, lines `seen`, lines that are `new`."""
        seen: set[int] = set()
        for window in self.windows():
            new = window.lines - seen
            seen |= new
            steps = window.step - window.since
            name = self.checkpoints[window.step].path
            yield {"step": window.step, "steps": steps, "seen": len(seen), "new": len(new), "file": name}

    def windows(self) -> Iterator[Window]:
        """The checkpoints, in the order of their steps."""
        waiting = iter(self.batches)
        batch = next(waiting, None)
        for before, step in pairwise([0, *self.checkpoints]):
            within = []
            while batch is not None and batch.step <= step:
                within.append(batch)
                batch = next(waiting, None)
            yield Window(step, self.file(step), before, self.checkpoints[step].t, within)


def lines_of(batches: list[Batch]) -> set[int]:
    """The lines in some batches."""
    return {line for batch in batches for line in batch.lines}


def read(folder: RunFolder, dataset: str | None = None) -> Lineage:
    """The lineage of a run, without what a rewind took back.

    Args:
        folder: the run.
        dataset: which of its data, where it logged batches of several.

    Raises:
        ConfigError: no batch is in the journal, or they are of several data sets.
    """
    follower = Follower(folder)
    found = [item.event for items in iter(follower.read, []) for item in items]
    batches = [event for event in found if isinstance(event, Batch) and dataset in (None, event.dataset)]
    names = sorted({batch.dataset for batch in batches})
    if not batches:
        raise ConfigError(_nothing(folder, dataset))
    if len(names) > 1:
        raise ConfigError(f"run {folder.path.name} used several data sets: name one with --dataset: {', '.join(names)}")
    saved = [event for event in found if isinstance(event, Checkpoint)]
    return Lineage(folder, batches, saved, follower.losses(ended=not writer_alive(folder)))


def _nothing(folder: RunFolder, dataset: str | None) -> str:
    of = "" if dataset is None else f" of data set {dataset!r}"
    return (
        f"run {folder.path.name} logged no batches{of}: `trainer` does unless --no-track-batches is given, "
        "a training loop of yours does with run.log_batch(lines, step)"
    )
