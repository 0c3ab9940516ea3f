"""A courier that hangs outside of every hook has a deadline, too: seen from the keeper that watches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trackhub.delivery.protocol import Orders
from trackhub.delivery.warden import Warden
from trackhub.testing import SomeJournal

pytestmark = pytest.mark.alone

HANGS_WHEN_IMPORTED = "import time\ntime.sleep(3600)\nclass Tracker: ...\n"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Callable[[str], Warden]]:
    """Makes the keeper of a courier for the class at ``file.py:Class``."""
    journal = SomeJournal(tmp_path / "runs" / "run")
    kept: list[Warden] = []

    def watch(source: str) -> Warden:
        orders = Orders(folder=str(journal.folder.path), trackers=("one",), sources={"one": source}, live=False)
        kept.append(Warden("one", orders))
        return kept[0]

    yield watch
    journal.end()
    kept[0].stop()
    kept[0].wait()


def look_until(warden: Warden, seen: Callable[[], bool], within: float = 20.0) -> None:
    until = time.monotonic() + within
    while not seen() and time.monotonic() < until:
        warden.look()
        time.sleep(0.02)
    assert seen()


@pytest.mark.parametrize(("where", "least"), [("the import of its plugin", 100), ("__init__", 50)])
def test_a_plugin_that_hangs_before_its_first_hook_is_killed_and_started_again(
    where: str, least: float, tmp_path: Path, watched: Callable[[str], Warden]
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS_WHEN_IMPORTED)
    made = f"{Path(__file__).with_name('sick.py')}:HangsWhenMade"
    warden = watched(f"{tmp_path / 'hangs.py'}:Tracker" if "import" in where else made)
    look_until(warden, lambda: warden.status.hook == where)
    first = warden.status.pid
    assert least < warden._deadline - time.monotonic() < 200
    warden._deadline = time.monotonic()
    look_until(warden, lambda: warden.status.restarts == 1)
    assert warden.status.reason == f"{where} did not return in time: killed and started again"
    look_until(warden, lambda: warden.status.pid != first)
