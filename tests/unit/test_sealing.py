"""A run counts as delivered when all of it could survive a crash, and not before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trackhub.plugin import UNSEALED, hookimpl
from trackhub.testing import Carried, SomeJournal


class Late:
    """Seals at the third flush after the end, as an upload that is behind does."""

    card = "For tests."
    idempotence = "known_step"
    ended = 0

    @hookimpl
    def log_metrics(self, metrics: dict[str, float]) -> None: ...

    @hookimpl
    def on_run_end(self) -> None:
        self.ended = 1

    @hookimpl
    def flush(self) -> Any:
        self.ended += bool(self.ended)
        return {"flushes": self.ended} if self.ended > 3 else UNSEALED


class Never(Late):
    """Cannot end, and seals nothing."""

    @hookimpl
    def on_run_end(self) -> None:
        raise RuntimeError("no end today")


@pytest.fixture
def journal(tmp_path: Path) -> SomeJournal:
    journal = SomeJournal(tmp_path / "runs" / "run")
    journal.row({"a": 1.0}, 0)
    journal.end()
    return journal


def test_a_tracker_whose_upload_is_behind_is_waited_for(journal: SomeJournal, tmp_path: Path) -> None:
    carried = Carried(Late, {}, tmp_path / "scratch")
    carried.deliver(journal.folder)
    cursor = carried.cursor(journal.folder)
    assert cursor.state == {"flushes": 4}
    assert cursor.safe.ended == "finished"


def test_one_that_fails_at_the_end_and_seals_nothing_is_parked_with_the_reason(
    journal: SomeJournal, tmp_path: Path
) -> None:
    carried = Carried(Never, {}, tmp_path / "scratch")
    with pytest.raises(AssertionError, match="on_run_end failed, and what was delivered is not safe"):
        carried.deliver(journal.folder)
    assert carried.cursor(journal.folder).safe.ended == ""
