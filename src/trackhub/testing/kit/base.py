"""What all tests of the kit stand on: the tracker under test, and how it is given a run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trackhub import making
from trackhub.delivery.facade import Tracker
from trackhub.layout import RunFolder
from trackhub.testing.carrying import Carried
from trackhub.testing.expected import Row, difference, expected, in_order
from trackhub.testing.journals import SomeJournal
from trackhub.testing.processes import no_survivors


class Base:
    """A tracker under test. Attributes and methods for you to set come first."""

    tracker: ClassVar[type]
    """The plugin class. It has to be importable: at the top of a module."""
    options: ClassVar[dict[str, Any]] = {}
    """Its options for all tests."""

    def read_params(self, run: Path, carried: Carried) -> dict[str, Any] | None:
        """The parameters that the backend holds of the run at `run`; None if they cannot be asked for."""
        return None

    def read_status(self, run: Path, carried: Carried) -> str | None:
        """finished, failed or killed, as the backend holds it; None if it cannot be asked for."""
        return None

    def read_media(self, run: Path, carried: Carried, kind: str) -> list[tuple[str, int, bytes]] | None:
        """(key, step, content) of every medium of one kind; None if the backend does not keep its files as they are."""
        return None

    @pytest.fixture(autouse=True)
    def _nobody_outlives_a_delivery(self) -> Any:
        with no_survivors():
            yield

    @pytest.fixture
    def carried(self, tmp_path: Path) -> Carried:
        """The tracker, ready to be given runs."""
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        return Carried(self.tracker, self.options, scratch)

    @pytest.fixture
    def journal(self, tmp_path: Path) -> SomeJournal:
        """A run without events so far."""
        return SomeJournal(tmp_path / "runs" / "some-run_20260101_000000")

    @property
    def declared(self) -> Tracker:
        """An instance that no run was given to: what the class declares."""
        return Tracker(self.tracker.__name__, making.make(self.tracker.__name__, self.tracker, self.options))

    def wants(self, hook: str) -> None:
        """Skip the test for a tracker without this hook."""
        if not self.declared.has(hook):
            pytest.skip(f"the tracker has no {hook}")

    def deliver(
        self, carried: Carried, folder: RunFolder, rows: Iterable[Row], fault: dict[str, Any] | None = None
    ) -> None:
        """Deliver a run, in spite of a fault, and compare every point with what was logged."""
        tracker, wanted = self.declared, expected(self.declared, rows)
        stored = carried.deliver(folder, list(wanted), fault)
        if not tracker.has("read_back"):
            return
        for key, points in wanted.items():
            pair = (in_order(tracker, points), in_order(tracker, stored[key]))
            told = difference(*pair, tracker.limits.time_step)
            assert not told, f"{key[:100]!r}: {told}"

    def assert_complete(self, carried: Carried, folder: RunFolder, rejected: int = 0) -> None:
        """The receipt says that everything arrived, but for what was meant to be refused."""
        done = carried.cursor(folder).safe
        assert [item.reason for item in done.rejections[rejected:]] == []
        assert done.rejected == rejected


def some_rows(journal: SomeJournal, count: int, first: int = 0) -> list[Row]:
    """`count` rows, one a step, in which a second metric is now and then missing."""
    rows: list[Row] = []
    for step in range(first, first + count):
        metrics = {"train/loss": 1 / (step + 1), **({"lr": step * 1e-4} if step % 3 else {})}
        rows.append((metrics, step, journal.row(metrics, step)))
    return rows
