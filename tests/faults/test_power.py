"""A power cut: the journal is cut anywhere, or has zeroed pages. Every whole event is read, and what is lost told."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import threading
from pathlib import Path

import pytest
from agree import assert_equal, rows_of

import trackhub
from trackhub import making, registry
from trackhub.delivery import cursor as cursors
from trackhub.delivery.courier import Courier
from trackhub.delivery.sync import sync
from trackhub.events import Metrics, RunEnded
from trackhub.journal import JournalWriter, Tail, read
from trackhub.journal.state import state
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder

pytestmark = pytest.mark.alone

PAGE = 4096
RULED = ("csv", "jsonl", "tensorboard", "swanlab")
"""Trackers whose rule is truncate or rebuild."""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run that all of these trackers have got; tests work on copies."""
    runs = tmp_path_factory.mktemp("delivered")
    run = trackhub.start(trackers=list(RULED), name="cut", runs_dir=runs, config={"lr": 0.1}, finish_timeout=60)
    for step in range(400):
        run.log_metrics({"loss": step / 7, **({"acc": step * 0.5} if step % 3 else {})}, step=step)
    run.finish()
    assert sync(RunFolder(run.path)).result == "delivered"
    return run.path


@pytest.fixture
def folder(delivered: Path, tmp_path: Path) -> RunFolder:
    """A copy of the run, to be damaged."""
    return RunFolder(shutil.copytree(delivered, tmp_path / "runs" / delivered.name))


def zero(path: Path, start: int, size: int = PAGE) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\0" * size)


def whole_steps(content: bytes) -> list[int]:
    """The steps of the lines that are whole, found without the code under test."""
    events = []
    for line in content.split(b"\n")[1:-1]:
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return [event["step"] for event in events if event["kind"] == "metrics"]


def steps(folder: RunFolder) -> list[int]:
    return [event.step for event in read(folder) if isinstance(event, Metrics) and event.source != "system"]


def told(folder: RunFolder, name: str) -> str:
    return "; ".join(cursors.load(folder.cursor(name), name).told)


@pytest.mark.parametrize("where", ["middle", "end", "unaligned"])
def test_zeroed_pages_cost_the_events_in_them_and_are_told(folder: RunFolder, where: str) -> None:
    """Exactly what lay there is missing: the lines before and after it are read."""
    path = folder.rank_journal(0)
    size = path.stat().st_size
    start = {"middle": size // 2 // PAGE * PAGE, "end": size - PAGE, "unaligned": size // 3 + 17}[where]
    zero(path, start)
    wanted = whole_steps(path.read_bytes())
    assert len(wanted) < 400
    assert steps(folder) == wanted
    tail = Tail(path)
    while tail.read():
        pass
    if where == "end":
        assert tail.torn() >= PAGE
    else:
        lost = 400 - len(wanted)
        assert tail.broken == 1
        assert len(tail.lost) == 1 and f"{lost} events up to number" in tail.lost[0]


DAMAGES = ["cut", "cut in the last line", "zeroes at the end", "zeroes in the middle", "cut and zeroes"]


def damage(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how.startswith("cut"):
        os.truncate(path, size - (9 if "line" in how else 3333))
    if how.endswith("zeroes"):
        os.truncate(path, size)
    if how == "zeroes at the end":
        zero(path, size - PAGE)
    if how == "zeroes in the middle":
        zero(path, size // 2)


@pytest.mark.parametrize("how", DAMAGES)
def test_a_sync_of_a_damaged_journal_brings_the_trackers_to_what_is_left(folder: RunFolder, how: str) -> None:
    damage(folder.rank_journal(0), how)
    for name in RULED:  # as after a cut in the middle of the training: nobody has been told of an end
        cursor = cursors.load(folder.cursor(name), name)
        cursor.safe.ended = cursor.handed.ended = ""
        cursors.store(folder.cursor(name), cursor)
    assert sync(folder).result == "delivered"
    kept = whole_steps(folder.rank_journal(0).read_bytes())
    assert [row.step for row in rows_of(folder)] == kept
    if how == "zeroes in the middle":
        assert state(folder).status == "finished"
    else:
        assert state(folder).status == "killed"
        assert_equal(folder, *RULED)
        assert "not what was read before" in told(folder, "csv")


def test_a_courier_that_dies_between_the_last_event_and_the_end_tells_the_end_all_the_same(folder: RunFolder) -> None:
    """Its cursor is behind the journal's end, and the tracker was not told."""
    for name in ("csv", "jsonl"):
        cursor = cursors.load(folder.cursor(name), name)
        cursor.safe.ended = cursor.handed.ended = ""
        cursors.store(folder.cursor(name), cursor)
    assert sync(folder, timeout=30).result == "delivered"


@pytest.mark.parametrize("how", DAMAGES)
def test_a_run_with_a_damaged_journal_is_resumed_and_all_trackers_agree(folder: RunFolder, how: str) -> None:
    damage(folder.rank_journal(0), how)
    run = trackhub.resume(folder.path, finish_timeout=60)
    for step in range(400, 450):
        run.log_metrics({"loss": step / 7}, step=step)
    run.finish()
    assert sync(folder).result == "delivered"
    kept = whole_steps(folder.rank_journal(0).read_bytes())
    assert [row.step for row in rows_of(folder)] == [*kept, *range(400, 450)]
    if how != "zeroes in the middle":
        assert_equal(folder, *RULED)


def again(folder: RunFolder, name: str) -> None:
    """What a sync does, in this process."""
    end = JournalWriter(folder.supervisor_journal, new_header("x", "y"), reopen=True)
    end.append(RunEnded, status="killed")
    end.close()
    plugin = registry.load(name)
    assert Courier(folder, name, lambda: making.make(name, plugin, {}), lambda _word: None, threading.Event()).deliver()


def cut_everywhere(delivered: Path, tmp_path: Path, sizes: list[int], name: str) -> None:
    for size in sizes:
        copy = RunFolder(shutil.copytree(delivered, tmp_path / f"cut-{size}"))
        os.truncate(copy.rank_journal(0), size)
        kept = whole_steps(copy.rank_journal(0).read_bytes())
        again(copy, name)
        assert [row.step for row in rows_of(copy)] == kept, size
        assert_equal(copy, name)
        shutil.rmtree(copy.path)


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_journal_that_is_cut_anywhere_in_its_last_page_is_what_the_trackers_hold(
    delivered: Path, tmp_path: Path, name: str
) -> None:
    """Thirty bytes of the last page, and each one round the end of a line."""
    content = RunFolder(delivered).rank_journal(0).read_bytes()
    chance = random.Random(7)
    last = content.rindex(b"\n", 0, -1)
    sizes = {len(content) - chance.randint(1, PAGE) for _ in range(30)} | set(range(last - 1, last + 3))
    cut_everywhere(delivered, tmp_path, sorted(sizes), name)


@pytest.mark.torture
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_journal_that_is_cut_at_every_byte_of_its_last_page_is_what_the_trackers_hold(
    delivered: Path, tmp_path: Path, name: str
) -> None:
    size = RunFolder(delivered).rank_journal(0).stat().st_size
    cut_everywhere(delivered, tmp_path, list(range(size - PAGE, size)), name)
