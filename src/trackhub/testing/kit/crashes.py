"""Each point once, whatever dies, raises or goes away; and what a resume makes of the run."""

from __future__ import annotations

import pytest

from trackhub.testing.carrying import Carried
from trackhub.testing.expected import Row
from trackhub.testing.journals import SomeJournal
from trackhub.testing.kit.base import Base, some_rows

KILLS = [
    ("on_run_start", 1, True),
    ("rows", 1, False),
    ("rows", 2, False),
    ("rows", 2, True),
    ("flush", 2, False),
    ("flush", 2, True),
    ("on_run_end", 1, False),
    ("on_run_end", 1, True),
]
"""Hook, at which call, and whether the hook did its work first."""


class Crashes(Base):
    """Tests of kills, errors, outages, and of rewinds."""

    def hook(self, name: str) -> str:
        """The hook that takes rows, for "rows"; skips the test where the tracker has no such hook."""
        if name == "rows":
            return "log_metrics_batch" if self.declared.has("log_metrics_batch") else "log_metrics"
        self.wants(name)
        return name

    def once(self) -> None:
        """Skip the test for a tracker that states no rule, and may repeat after a crash."""
        if not self.declared.rule:
            pytest.skip("the tracker states no idempotence rule: points may repeat after a crash")

    @pytest.mark.parametrize(("name", "call", "after"), KILLS, ids=lambda value: str(value))
    def test_after_a_kill_each_point_is_there_once(
        self, name: str, call: int, after: bool, carried: Carried, journal: SomeJournal
    ) -> None:
        """SIGKILL before or after the hook did its work: then a new courier goes on."""
        self.once()
        rows = some_rows(journal, 2_300)
        journal.end("failed")
        assert carried.suffer(journal.folder, self.hook(name), "kill", call=call, after=after) != 0
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)
        assert self.read_status(journal.folder.path, carried) in (None, "failed")

    def test_killed_twice_in_a_row(self, carried: Carried, journal: SomeJournal) -> None:
        """In the middle of the first batch that a courier gets, and of the next one's."""
        self.once()
        rows = some_rows(journal, 1_200)
        journal.end()
        for _ in range(2):
            assert carried.suffer(journal.folder, self.hook("rows"), "kill", after=True) != 0
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)
        aside = [path.name for path in journal.folder.path.rglob("*.kept-*")]
        assert aside == [], f"it took its own file for somebody else's: {aside}; AppendFile(..., begins=...) tells it"

    @pytest.mark.parametrize("fault", ["raise", "outage", "away"])
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    def test_after_an_error_each_point_is_there_once(
        self, fault: str, after: bool, carried: Carried, journal: SomeJournal
    ) -> None:
        """The backend refuses, or takes the rows and then fails to say so; then it is back."""
        self.once()
        rows = some_rows(journal, 1_200)
        journal.end()
        self.deliver(
            carried, journal.folder, rows, {"hook": self.hook("rows"), "fault": fault, "times": 2, "after": after}
        )
        self.assert_complete(carried, journal.folder)

    @pytest.mark.parametrize(("name", "call"), [("rows", 1), ("flush", 2)], ids=["rows", "flush"])
    def test_an_outage_inside_a_hook_is_not_swallowed(
        self, name: str, call: int, carried: Carried, journal: SomeJournal
    ) -> None:
        """No file opens for writing, and nobody is reached: that has to be raised, so that the rows come again."""
        self.once()
        rows = some_rows(journal, 1_200)
        journal.end()
        fault = {"hook": self.hook(name), "fault": "cut", "times": 2, "call": call}
        self.deliver(carried, journal.folder, rows, fault)
        self.assert_complete(carried, journal.folder)

    def test_a_batch_that_is_refused_once_is_halved_and_arrives(self, carried: Carried, journal: SomeJournal) -> None:
        """Nothing of a refused batch was stored, so its halves can come."""
        self.once()
        rows = some_rows(journal, 40)
        journal.end()
        if self.hook("rows") == "log_metrics":
            pytest.skip("the tracker takes row by row")
        self.deliver(carried, journal.folder, rows, {"hook": "log_metrics_batch", "fault": "reject"})
        self.assert_complete(carried, journal.folder)

    def test_what_the_tracker_remembers_is_on_disk_before_the_first_row(
        self, carried: Carried, journal: SomeJournal
    ) -> None:
        """So a courier that dies at once is followed by one that finds the same run."""
        some_rows(journal, 5)
        journal.end()
        assert carried.suffer(journal.folder, self.hook("rows"), "kill") != 0
        first = dict(carried.cursor(journal.folder).remembered)
        carried.deliver(journal.folder)
        second = carried.cursor(journal.folder).remembered
        ids = [key for key in second if key.endswith("id")]
        assert [first.get(key) for key in ids] == [second[key] for key in ids]

    @pytest.mark.parametrize("back", [None, 9, -1], ids=["on", "back", "to-the-start"])
    def test_a_resumed_run_is_one_run(self, back: int | None, carried: Carried, journal: SomeJournal) -> None:
        """It goes on, or went back: then later rows are replaced, or stand behind the earlier ones."""
        before = some_rows(journal, 30)
        journal.end("killed")
        self.deliver(carried, journal.folder, before)
        remembered = dict(carried.cursor(journal.folder).remembered)
        journal.resume(back)
        after = some_rows(journal, 15, first=30 if back is None else back + 1)
        journal.end()
        self.deliver(carried, journal.folder, [*self._counting(before, back), *after])
        self.assert_complete(carried, journal.folder)
        assert self.read_status(journal.folder.path, carried) in (None, "finished")
        now = carried.cursor(journal.folder).remembered
        assert [now.get(key) for key in remembered if key.endswith("run_id")] == [
            value for key, value in remembered.items() if key.endswith("run_id")
        ]

    def _counting(self, rows: list[Row], back: int | None) -> list[Row]:
        """What is left of the earlier rows."""
        if back is None or getattr(self.tracker, "rewinds", "") != "replace":
            return rows
        return [row for row in rows if row[1] <= back]
