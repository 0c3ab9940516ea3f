"""What waits in memory is bounded, in order, and counted when it overflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from trackhub.events import Header, Message
from trackhub.journal import JournalWriter, Tail, backlog, writing
from trackhub.journal.backlog import Backlog


def test_past_the_limit_the_newest_are_dropped_and_counted() -> None:
    waiting = Backlog(limit=10)
    for line in (b"aaaa", b"bbbb", b"cccc", b"dddd"):
        waiting.add(line)
    assert list(waiting.lines) == [b"aaaa", b"bbbb"]
    assert waiting.dropped == 2


def test_a_line_that_was_written_in_part_keeps_its_rest_in_front() -> None:
    waiting = Backlog()
    waiting.add(b"abcdef")
    waiting.add(b"ghi")
    waiting.written(4)
    assert list(waiting.lines) == [b"ef", b"ghi"]


def test_what_was_written_makes_room() -> None:
    waiting = Backlog(limit=8)
    waiting.add(b"aaaa")
    waiting.add(b"bbbb")
    waiting.written(2)
    waiting.add(b"ccc")
    assert waiting.dropped == 1
    waiting.written(2)
    waiting.add(b"dddd")
    assert list(waiting.lines) == [b"bbbb", b"dddd"]


def test_the_limit_is_64_mb() -> None:
    assert backlog.LIMIT == 64 * 1024 * 1024


@pytest.mark.parametrize("room", [0, 100])
def test_a_writer_on_a_full_disk_drops_the_newest_tells_how_many_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """The file is limited by RLIMIT_FSIZE, which a full disk is like, in a process of its own."""
    import json
    import subprocess
    import sys

    code = f"""
import json, resource, sys
from pathlib import Path
from trackhub.events import Header, Message
from trackhub.journal import JournalWriter, writing
from trackhub.journal.backlog import Backlog
writing.Backlog = lambda: Backlog(limit=5_000)
said = []
path = Path(sys.argv[1])
writer = JournalWriter(path, Header(trackhub=1, run_id="x"), trouble=said.append)
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + {room}, unlimited[1]))
for number in range(100):
    writer.append(Message, text="x" * 100)
waiting = writer.waiting
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
writer.retry(now=True)
writer.append(Message, text="last")
writer.close()
print(json.dumps([said, waiting]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], capture_output=True, text=True, check=True)
    said, waiting = json.loads(done.stdout)
    tail = Tail(tmp_path / "j")
    ordinals = [event.n for event, _ in tail.read()]
    assert 10 < waiting < 50
    assert len(said) == 2
    assert f"{100 - (len(ordinals) - 1)} events did not fit into memory and are lost" in said[1]
    assert ordinals == [*range(1, len(ordinals)), 101]
    assert tail.broken == 0


def test_the_memory_of_a_writer_is_bounded_however_long_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    writer = JournalWriter(tmp_path / "j", Header(trackhub=1, run_id="x"))

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for _ in range(80):
        writer.append(Message, text="x" * 1_000_000)
    held = sum(map(len, writer._backlog.lines))
    assert backlog.LIMIT - 1_001_000 < held <= backlog.LIMIT
    assert writer._backlog.dropped == 80 - writer.waiting
    monkeypatch.undo()
    writer.close()
    assert writing.Backlog is Backlog
