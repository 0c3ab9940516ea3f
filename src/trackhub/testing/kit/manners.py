"""What is seen without a run, and what a tracker leaves alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trackhub import making
from trackhub.cards import describe_class
from trackhub.plugin import MEDIA_KINDS, RULES, Limits
from trackhub.testing.carrying import Carried
from trackhub.testing.journals import SomeJournal
from trackhub.testing.kit.base import Base, some_rows

PLANTED = "hf_PlantedSecretThatMustNotBeFound00000"


class Manners(Base):
    """Tests of the class itself."""

    def test_its_hooks_are_hooks(self) -> None:
        """Each exists, takes arguments that exist, and carries `@hookimpl`."""
        hooks = making.hooks(self.tracker.__name__, self.tracker)
        assert {"log_metrics", "log_metrics_batch"} & set(hooks)

    def test_what_it_declares_is_valid(self) -> None:
        """Its rule, what it does at a rewind and with repeated steps, its limits."""
        tracker = self.declared
        assert tracker.rule in ("", *RULES)
        assert getattr(self.tracker, "rewinds", "append") in ("append", "replace")
        assert getattr(self.tracker, "repeats", "keep") in ("keep", "first", "last")
        assert getattr(self.tracker, "order", "journal") in ("journal", "time")
        assert isinstance(tracker.limits, Limits)
        assert tracker.limits.media <= set(MEDIA_KINDS)
        assert bool(tracker.limits.media) == tracker.has("log_media")

    def test_it_has_a_card_and_its_options_are_described(self) -> None:
        """What `trackhub trackers NAME` tells people."""
        card = describe_class(self.tracker.__name__, self.tracker)
        if not card.card:
            pytest.skip("the tracker has no card: a class attribute `card`, one paragraph for people")
        assert [option["name"] for option in card.options if not option["description"]] == []

    def test_its_module_imports_without_its_sdk(self) -> None:
        """Listings and checks import the module of every tracker: the SDK is for `on_run_start`."""
        needs = getattr(self.tracker, "needs", "")
        if not needs:
            pytest.skip("the tracker needs no SDK")
        code = f"import sys; sys.path += {[entry for entry in sys.path if entry]!r}; import {self.tracker.__module__}"
        done = subprocess.run(
            [sys.executable, "-c", f"{code}; print({needs!r} in sys.modules)"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["False"]

    def test_it_keeps_its_files_in_the_runs_folder(self, carried: Carried, journal: SomeJournal) -> None:
        """Nothing appears in the home folder."""
        before = _files(carried.home)
        rows = some_rows(journal, 5)
        journal.end()
        self.deliver(carried, journal.folder, rows)
        assert _files(carried.home) == before

    def test_it_leaves_the_files_of_others_alone(self, carried: Carried, journal: SomeJournal) -> None:
        """Whatever lies in the run folder under a name of its own, it is there afterwards."""
        rows = some_rows(journal, 5)
        journal.end()
        carried.deliver(journal.folder)
        theirs = SomeJournal(journal.folder.path.with_name("other-run"))
        rows = some_rows(theirs, 5)
        theirs.end()
        ours = {path.relative_to(journal.folder.path) for path in _files(journal.folder.path)}
        for path in ours - {path.relative_to(theirs.folder.path) for path in _files(theirs.folder.path)}:
            if path.parts[0] not in ("journal", "delivery"):
                (theirs.folder.path / path).parent.mkdir(parents=True, exist_ok=True)
                (theirs.folder.path / path).write_bytes(b"somebody's own: " + str(path).encode())
        self.deliver(carried, theirs.folder, rows)
        kept = [path.read_bytes() for path in _files(theirs.folder.path)]
        for path in ours:
            content = b"somebody's own: " + str(path).encode()
            assert path.parts[0] in ("journal", "delivery") or any(content in one for one in kept), path

    def test_no_secret_of_its_options_reaches_the_disk(self, carried: Carried, journal: SomeJournal) -> None:
        """Options that are marked as secret are for the process alone; the journal knows them by their names."""
        secret = making.secret_options(self.tracker)
        if not secret:
            pytest.skip("the tracker has no secret option")
        carried = Carried(self.tracker, {**self.options, **dict.fromkeys(secret, PLANTED)}, carried.home.parent / "x")
        rows = some_rows(journal, 5)
        journal.end()
        self.deliver(carried, journal.folder, rows)
        found = [path for path in _files(journal.folder.path.parent) if PLANTED.encode() in path.read_bytes()]
        assert found == []


def _files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}
