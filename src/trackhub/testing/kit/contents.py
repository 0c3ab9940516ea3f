"""What is not a point: parameters, messages, media, files, and how the run ended."""

from __future__ import annotations

import math
from typing import Any

import pytest

from trackhub.delivery.mapping import Mapper
from trackhub.events import MEDIA_KINDS
from trackhub.plugin import Uploads
from trackhub.testing.carrying import Carried
from trackhub.testing.journals import SomeJournal
from trackhub.testing.kit.base import Base, some_rows

PARAMS: dict[str, Any] = {
    "lr": 1e-4,
    "lora": {"r": 16, "targets": ["q", "v"], "dropout": 0.1, "deeper": {"still": None}},
    "flag": True,
    "name": "一个名字 🙂",
    "long": "v" * 10_000,
    "empty": "",
    "nothing": {},
    "odd keys/@#%": 1,
    "lines": "a\nb\x00c",
    "huge": 2**70,
    "odd": math.inf,
}


class Contents(Base):
    """Tests of everything beside points."""

    def test_parameters_arrive_whole(self, carried: Carried, journal: SomeJournal) -> None:
        """Nested, odd and long ones; and more that come later."""
        self.wants("log_params")
        journal.params(PARAMS)
        rows = some_rows(journal, 5)
        journal.params({"later": 1, "lr": 2e-4})
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)
        stored = self.read_params(journal.folder.path, carried)
        if stored is not None:
            wanted, _ = Mapper(self.declared.limits).params(jsonable_params({**PARAMS, "later": 1, "lr": 2e-4}))
            missing = {key for key in wanted if key not in stored}
            assert not missing, f"parameters are missing: {missing}"
            wrong = {key: stored[key] for key in wanted if key != "lr" and stored[key] != wanted[key]}
            assert not wrong, f"parameters differ: {wrong}"

    def test_hundreds_of_parameters_arrive(self, carried: Carried, journal: SomeJournal) -> None:
        """More than a backend takes in one request."""
        self.wants("log_params")
        journal.params({f"group-{number % 7}": {f"p{index}": index for index in range(60)} for number in range(7)})
        journal.end()
        self.deliver(carried, journal.folder, [])
        self.assert_complete(carried, journal.folder)

    def test_messages_arrive(self, carried: Carried, journal: SomeJournal) -> None:
        """Lines for people, and alerts."""
        self.wants("log_message")
        for level in ("info", "warning", "error"):
            journal.message(f"a line of level {level}\nand a second one, 第二行 🙂", level)
        journal.message("")
        journal.end()
        self.deliver(carried, journal.folder, [])
        self.assert_complete(carried, journal.folder)

    def test_media_are_stored_or_stay_in_the_run_folder(self, carried: Carried, journal: SomeJournal) -> None:
        """And the receipt says which; nothing is refused, and the rows around them arrive."""
        rows = some_rows(journal, 3)
        logged = [(kind, key, journal.media(kind, key, 4, "a caption")) for kind in MEDIA_KINDS for key in _keys(kind)]
        rows += some_rows(journal, 3, first=5)
        journal.end()
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder)
        takes = self.declared.limits.media
        assert carried.cursor(journal.folder).safe.left == {kind: 2 for kind in MEDIA_KINDS if kind not in takes}
        key_of = Mapper(self.declared.limits).key
        for kind in takes:
            wanted = [(key_of(key), 4, path.read_bytes()) for other, key, path in logged if other == kind]
            stored = self.read_media(journal.folder.path, carried, kind)
            assert stored is None or sorted(stored) == sorted(wanted), kind

    @pytest.mark.parametrize("policy", ["none", "last", "best", "all"])
    def test_checkpoints_and_artifacts_follow_the_policy(
        self, policy: str, carried: Carried, journal: SomeJournal
    ) -> None:
        """Of three checkpoints and two versions of a file."""
        self.wants("save_checkpoint")
        if not issubclass(getattr(self.tracker, "Options", object), Uploads):
            pytest.skip("the tracker has no upload policy")
        carried = Carried(self.tracker, {**self.options, "upload": policy}, carried.home.parent)
        best = SomeJournal(journal.folder.path.with_name("best-run"), best={"val/loss": "min"})
        for step, loss in ((1, 0.5), (2, 0.25), (3, 0.75)):
            best.checkpoint(step, **{"val/loss": loss})
        best.artifact("report.txt", b"a report")
        best.end()
        self.deliver(carried, best.folder, [])
        self.assert_complete(carried, best.folder)
        takes = 1 if self.declared.has("log_artifact") else 0
        handed = {"none": 0, "last": 1 + takes, "best": 1 + takes, "all": 3 + takes}[policy]
        safe = carried.cursor(best.folder).safe
        assert (safe.delivered, sum(safe.left.values())) == (handed, 4 - handed)

    def test_a_file_that_is_gone_is_set_aside_and_stops_nothing(self, carried: Carried, journal: SomeJournal) -> None:
        """A checkpoint that was pruned before it was its turn."""
        self.wants("save_checkpoint")
        journal.checkpoint(1).unlink()
        rows = some_rows(journal, 5)
        journal.end()
        if issubclass(getattr(self.tracker, "Options", object), Uploads):
            carried = Carried(self.tracker, {**self.options, "upload": "all"}, carried.home.parent)
        self.deliver(carried, journal.folder, rows)
        self.assert_complete(carried, journal.folder, rejected=1)

    @pytest.mark.parametrize("status", ["finished", "failed", "killed"])
    def test_the_true_status_arrives(self, status: str, carried: Carried, journal: SomeJournal) -> None:
        """However the run ended."""
        rows = some_rows(journal, 3)
        journal.end(status)
        self.deliver(carried, journal.folder, rows)
        assert carried.cursor(journal.folder).safe.ended == status
        stored = self.read_status(journal.folder.path, carried)
        assert stored in (None, status)

    def test_a_run_without_any_row_is_delivered(self, carried: Carried, journal: SomeJournal) -> None:
        """It failed before its first step."""
        journal.end("failed")
        self.deliver(carried, journal.folder, [])
        self.assert_complete(carried, journal.folder)


def _keys(kind: str) -> list[str]:
    return [f"val/{kind}", f"odd @#% /{kind}"]


def jsonable_params(params: dict[str, Any]) -> dict[str, Any]:
    """Parameters as a reader of the journal finds them."""
    from trackhub.journal.format import jsonable

    found: dict[str, Any] = jsonable(params)
    return found
