"""What a training loop holds. Every call writes one event to the journal and returns; nothing here waits."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from math import isfinite
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from trackhub import files
from trackhub.endings import forget, how, opened, watch
from trackhub.events import (
    FAILURE,
    STATUSES,
    Artifact,
    Batch,
    Checkpoint,
    Event,
    Media,
    Message,
    Metrics,
    Params,
    Rejected,
    RunEnded,
)
from trackhub.intake import PLAIN, Intake, copies_in, shown
from trackhub.journal.format import storable
from trackhub.journal.writing import Closed, JournalWriter, new_header
from trackhub.layout import RunFolder, find_run
from trackhub.secrets import LineByLine, redact_text
from trackhub.tell import tell
from trackhub.tensors import Deferred

if TYPE_CHECKING:
    from types import TracebackType

    from trackhub.console_lines import ConsoleLines
    from trackhub.delivery.launch import Delivery
    from trackhub.delivery.receipt import Receipt


LARGEST = 2**63
"""Above what the number of a line, a step or an epoch of a batch can be."""


@lru_cache(maxsize=64)
def _stored(name: str) -> str:
    """`storable` of a name that comes again and again."""
    return str(storable(name))


class Run:
    """One execution and its folder. `trackhub.start` and `trackhub.resume` make one.

    Methods named `log_*` never raise for a bad value and never wait for a tracker (a mistake does not end a run;
    ``TRACKHUB_STRICT=1`` makes bad values raise). The journal's own disk is the one thing that can block them.
    """

    def __init__(
        self,
        folder: RunFolder,
        writer: JournalWriter,
        trackers: tuple[str, ...] = (),
        delivery: Delivery | None = None,
        finish_timeout: float = 30.0,
        last_step: int = -1,
        owns: bool = True,
    ) -> None:
        self.id = writer.header.run_id
        """The run's own id: 16 hexadecimal digits, the same after every resume."""
        self.name = folder.path.name
        """The name of the run's folder."""
        self.path: Path = folder.path
        """The run folder."""
        self.trackers = trackers
        """The names of the trackers that the run was started with."""
        self.finish_timeout = finish_timeout
        """Seconds that `finish` waits for the deliveries, at most."""
        self.status = "running"
        self._folder = folder
        self._writer: JournalWriter | Closed | None = writer
        self._header = writer.header
        self._delivery = delivery
        self._owner = os.getpid() if owns else 0
        self._step = last_step
        self._intake = Intake(self._refuse, tell, lambda tensor: self._deferred.begin(tensor))
        self._known = self._intake.known_keys
        self._console: ConsoleLines | None = None
        self._deferred = Deferred()
        self._lines = LineByLine()

    @classmethod
    def join(cls, path: str, rank: int = 0) -> Run:
        """The same run in another process of it: events go to a journal file of this process's own.

        Args:
            path: the run folder.
            rank: this process's rank; one of rank 0 is a child of the process that started the run.
        """
        from trackhub.journal.state import state

        folder = find_run(path)
        here = opened(str(folder.path), rank)
        if isinstance(here, cls):
            return here
        before = state(folder)
        pid = None if rank and not folder.rank_journal(rank, before.attempt).exists() else os.getpid()
        header = new_header(before.id, folder.path.name, rank, before.attempt)
        file = folder.rank_journal(rank, before.attempt, pid)
        writer = JournalWriter(file, header, reopen=pid is not None, trouble=tell)
        run = cls(folder, writer, before.trackers, last_step=before.last_step, owns=False)
        watch(run)
        return run

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log one row of numbers.

        Args:
            metrics: numbers by key: floats, ints, bools, numpy, torch and jax scalars; nested dicts are joined with
                "/". What is no number is kept out, told once, and journaled as rejected.
            step: an integer of any size and order; the last step + 1 if not given.
        """
        now = time.time()
        if type(step) is not int:
            step = self._intake.step(step, self._step)
        try:
            plain = type(metrics) is dict and metrics.keys() <= self._known
            plain = plain and PLAIN.issuperset(map(type, metrics.values()))
            plain = plain and isfinite(sum(metrics.values())) and len(metrics) > 0
        except (TypeError, OverflowError):
            plain = False
        if plain and step >= self._step and not self._deferred.queue:
            self._step = step
            (self._writer or self._journal()).append_metrics(now, step, metrics)  # type: ignore[arg-type]
        else:
            self._log_carefully(metrics, step, now)

    def _log_carefully(self, metrics: Any, step: int, now: float) -> None:
        """The slow road: values that need conversion, or a look, or have not arrived yet."""
        if step < self._step:
            self._intake.tell("back", "", f"the step went back from {self._step} to {step}: logged as it is")
        row = self._intake.metrics(metrics, step)
        if row:
            self._step = step
            self._append(Metrics, now, step=step, metrics=row)
            self._journal().measured(now)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Add to the configuration. Values that look like credentials are redacted before they are written."""
        if self._intake.is_mapping("log_params", params, None):
            self._append(Params, params=storable(dict(params)))

    def log_message(self, text: str, level: str = "info") -> None:
        """Log a line for people; an alert is a message with the level "warning" or "error"."""
        self._append(Message, text=storable(str(text)), level=storable(str(level)))

    def log_media(self, media: Mapping[str, Any], step: int | None = None) -> None:
        """Log pictures, sound, tables and the like; each becomes a file in `media/`, before this returns.

        Args:
            media: by key, a `trackhub.Image`, `Audio`, `Video`, `Figure`, `Histogram`, `Table`, `Text` or `Html`; of
                plain values a PIL image, a matplotlib or plotly figure, a DataFrame, and a string, which is text. Those
                in a list are logged as "key/0", "key/1", ...; nested dicts are joined with "/".
            step: an integer; the step that `log_metrics` logged last if not given, 0 before it did.
        """
        from trackhub.media.keeping import kept

        now = time.time()
        at = max(self._step, 0) if step is None else self._intake.step(step, self._step)
        for fields in kept(media, at, self._folder, self._intake):
            self._append(Media, now, **fields)

    def capture_console(self) -> None:
        """From now on until `finish`, log what is printed, line by line, as messages. It is printed as before."""
        if self._console is None and self.status == "running":
            from trackhub.console_lines import ConsoleLines

            self._console = ConsoleLines(self._printed)

    def _printed(self, line: str, source: str) -> None:
        if text := self._lines.redact(line, source):
            self._append(Message, text=storable(text), source=source)

    def log_artifact(self, path: str | os.PathLike[str], name: str | None = None, **metadata: Any) -> None:
        """Keep a file with the run: hard-linked (or copied) under `artifacts/`, so that it outlives the original."""
        name = storable(name)
        kept = files.keep_named(path, name, self._folder.artifacts)
        if kept is None:
            self._intake.bad(str(path), "the file does not exist, or cannot be read or kept", path, None)
            return
        relative = kept.relative_to(self.path).as_posix()
        size = kept.stat().st_size
        self._append(Artifact, name=name or kept.name, path=relative, size=size, metadata=storable(metadata))

    def save_checkpoint(
        self, path: str | os.PathLike[str], step: int | None = None, metrics: Mapping[str, Any] | None = None
    ) -> None:
        """Tell of a checkpoint that exists on disk.

        Args:
            path: the file or folder, as it was saved; a relative one is looked for here and in the
                run folder, and the newer one counts.
            step: the step whose weights it holds; the last logged one if not given.
            metrics: numbers that belong to it, e.g. {"val/loss": 0.3}.
        """
        found = files.locate(path, self.path)
        if found is None:
            self._intake.bad(str(path), "the checkpoint does not exist: save it first, then tell of it", path, step)
            return
        at = self._step if step is None else self._intake.step(step, self._step)
        row = self._intake.metrics(metrics, at) if metrics else {}
        where = files.relative(found, self.path)
        self._append(Checkpoint, step=max(at, 0), path=where, size=files.size(found), metrics=row)

    def log_batch(self, lines: Iterable[int], step: int, epoch: int = 0, dataset: str = "") -> None:
        """Keep which lines of the data went into a step, for `trackhub lineage`; trackers are not told.

        Args:
            lines: their 0-based numbers in the data file, in the order in which they were used: of this rank only.
            step: the step that used them. Several calls for one step add up.
            epoch: 0-based. A step that spans the end of an epoch is two calls.
            dataset: the name of the data, where there are several.
        """
        try:
            numbers, at, of = tuple(map(index, lines)), index(step), index(epoch)
            good = min(numbers, default=0) >= 0 and max(*numbers, abs(at), abs(of)) < LARGEST
        except TypeError:
            good = False
        if not good:
            reason = "lines are integers from 0 on, e.g. log_batch([3, 17], step=1), and so are step and epoch"
            self._intake.bad("batch", reason, lines, None)
            return
        rank = self._header.rank
        self._append(Batch, step=at, epoch=of, lines=numbers, dataset=_stored(str(dataset)), rank=rank)

    def _append(self, event_type: type[Event], t: float | None = None, **fields: Any) -> None:
        """Write one event now, or behind the values that are still on their way from a device."""
        now = time.time() if t is None else t
        copies = copies_in(fields.get("metrics", {}))
        if copies or self._deferred.queue:
            self._deferred.add(copies, lambda: self._write(event_type, now, fields))
        else:
            self._write(event_type, now, fields)

    def _write(self, event_type: type[Event], now: float, fields: dict[str, Any]) -> None:
        if "metrics" in fields:
            fields["metrics"] = self._intake.arrived(fields["metrics"], fields["step"])
        if event_type is not Metrics or fields["metrics"]:
            self._journal().append(event_type, now, **fields)

    def _refuse(self, key: str, reason: str, value: Any, step: int | None) -> None:
        looks = redact_text(shown(value))[:200]
        self._append(Rejected, key=storable(key)[:1000], reason=storable(reason), value=looks, step=step)

    def _over(self, line: str) -> None:
        self._intake.strict(line)
        self._intake.tell("over", "", f"{line}. Go on with it: trackhub.resume({str(self.path)!r})")

    def _journal(self) -> JournalWriter | Closed:
        """The file that this process writes: its own one in a forked child."""
        if self._writer is None:
            path = self._folder.rank_journal(self._header.rank, self._header.attempt, os.getpid())
            header = new_header(self.id, self._header.run_name, self._header.rank, self._header.attempt)
            self._writer = JournalWriter(path, header, reopen=True, trouble=tell)
        return self._writer

    def is_at(self, path: str, rank: int) -> bool:
        """Whether this is the run at `path`, as `rank` sees it."""
        return str(self.path) == path and self._header.rank == rank

    def forked(self) -> None:
        """In a forked child: the parent's file is not ours, nor what it still waits for."""
        if self._writer is not None:
            self._writer.abandon()
        if self._delivery is not None:
            self._delivery.forked()
        self._writer = None
        self._deferred = Deferred()

    @property
    def summary(self) -> dict[str, dict[str, float]]:
        """Last, min and max of each metric, read from the journal."""
        from trackhub.journal.summary import summary

        return summary(self._folder)

    def receipts(self) -> list[Receipt]:
        """What each tracker has confirmed so far."""
        from trackhub.delivery.receipt import receipts

        return receipts(self._folder)

    def finish(self, status: str = "finished", reason: str = "", timeout: float | None = None) -> None:
        """End the run, and wait for its deliveries: at most `timeout` seconds (`finish_timeout` if not given).

        What is not delivered by then goes on in the background; `trackhub status` tells, `trackhub sync` finishes
        the rest. A second call does nothing, nor does one in a process that did not start the run.
        """
        if self.status != "running":
            return
        if self._console is not None:
            self._console.stop()
        self._deferred.drain()
        if status not in STATUSES[1:]:
            self._intake.strict(f"a status is one of {', '.join(STATUSES[1:])}, not {status!r}")
            status, reason = "finished", reason or str(status)
        owns = os.getpid() == self._owner
        if owns and self._header.rank == 0:
            self._append(RunEnded, status=status, reason=storable(reason)[:2000])
        elif status == "failed":
            self._tell_failure(reason)
        if self._writer is not None:
            self._writer.close()
        self._writer, self.status = Closed(self._over, f"run {self.name} is {status}, and logs no more"), status
        forget(self)
        if owns and self._delivery is not None:
            self._delivery.finish(self.finish_timeout if timeout is None else timeout)

    def _tell_failure(self, reason: str) -> None:
        """A rank above 0, or a child, does not end the run; but that it failed, and how, is kept."""
        who = f"rank {self._header.rank}" if self._header.rank else f"process {os.getpid()}"
        self._append(Message, text=storable(f"{who} failed: {reason}")[:2000], level="error", source=FAILURE)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.finish(*how(error))

    def __reduce__(self) -> tuple[Any, ...]:
        """A run travels to another process as its path, and logs there to a file of that process's own."""
        return Run.join, (str(self.path), self._header.rank)

    def __repr__(self) -> str:
        return f"<trackhub.Run {self.name} {self.status} at {self.path}>"
