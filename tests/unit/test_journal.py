"""The writing end of the journal, and reading a file whatever became of it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from trackhub import locks
from trackhub.errors import JournalBusy, JournalError
from trackhub.events import Header, Message, Metrics
from trackhub.journal import JournalWriter, Tail
from trackhub.journal.writing import new_header

HEADER = Header(trackhub=1, run_id="0123456789abcdef")


def written(path: Path, rows: int, **fields: str) -> Path:
    """A journal file of `rows` rows, closed."""
    writer = JournalWriter(path, HEADER)
    for row in range(rows):
        writer.append_metrics(float(row), row, {"a": row * 0.1, **fields})
    writer.close()
    return path


def read_all(path: Path) -> Tail:
    """A reader that has read everything; its `steps` lie in the attribute below."""
    tail = Tail(path)
    while tail.read():
        pass
    return tail


def steps(path: Path) -> list[int]:
    tail, found = Tail(path), []
    while events := tail.read():
        found += [event.step for event, _ in events if isinstance(event, Metrics)]
    return found


def test_an_event_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    for step in range(3):
        writer.append_metrics(1.0, step, {"a": 1.0})
        assert steps(tmp_path / "j") == list(range(step + 1))
    writer.close()


def test_each_event_costs_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    lines: list[bytes] = []
    whole = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: lines.append(bytes(data)) or whole(descriptor, data))
    writer.append(Message, text="one\ntwo")
    writer.append_metrics(1.0, 1, {"a": 1.0})
    writer.close()
    assert [line.count(b"\n") for line in lines] == [1, 1]


def test_a_file_cut_at_any_byte_of_its_last_4_kb_gives_every_whole_line(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 80)
    content = path.read_bytes()
    for size in range(len(content) - 1, len(content) - 4097, -1):
        os.truncate(path, size)
        assert steps(path) == list(range(content[:size].count(b"\n") - 1)), size


@pytest.mark.parametrize("zeros", [1, 4096, 3 * 4096])
def test_zeroed_pages_at_the_end_hide_nothing_and_a_writer_that_goes_on_is_read(tmp_path: Path, zeros: int) -> None:
    path = written(tmp_path / "j", 10)
    with path.open("ab") as file:
        file.write(b"\0" * zeros)
    assert steps(path) == list(range(10))
    writer = JournalWriter(path, HEADER, reopen=True)
    writer.append_metrics(1.0, 10, {"a": 1.0})
    writer.close()
    assert steps(path) == list(range(11))
    assert read_all(path).broken == 1


@pytest.mark.parametrize(
    "junk", [b"{", b"\xff\xfe", b'{"kind":"metrics"', b"null", b"[]", b"\0" * 100, b'"text"', b"7"]
)
def test_a_broken_line_in_the_middle_is_skipped_and_counted(tmp_path: Path, junk: bytes) -> None:
    path = written(tmp_path / "j", 10)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], junk + b"\n", *lines[5:]]))
    assert steps(path) == list(range(10))
    assert read_all(path).broken == 1


def test_events_of_a_newer_kind_are_skipped_and_counted_and_unknown_fields_ignored(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 1)
    with path.open("ab") as file:
        file.write(b'{"kind":"hologram","n":2,"t":1.0,"depth":3}\n')
        file.write(b'{"kind":"metrics","n":3,"t":1.0,"step":9,"metrics":{"a":1},"colour":"red"}\n')
    tail = Tail(path)
    assert [event.n for event, _ in tail.read()] == [1, 3]
    assert (tail.unknown, tail.broken) == (1, 0)


def test_a_newer_format_is_refused_with_the_command_that_upgrades(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"trackhub":2,"run_id":"x"}\n{"kind":"metrics","n":1,"t":1.0,"step":0,"metrics":{}}\n')
    with pytest.raises(JournalError, match="pip install --upgrade trackhub-ml"):
        Tail(path).read()


@pytest.mark.parametrize("head", [b"", b"\0" * 50, b"not json", b'{"trackhub":"1"}'])
def test_a_file_whose_header_is_lost_still_gives_its_events(tmp_path: Path, head: bytes) -> None:
    path = written(tmp_path / "j", 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([head + b"\n", *lines[1:]]))
    assert steps(path) == [0, 1, 2]


def test_a_writer_that_goes_on_closes_a_torn_line_and_counts_on(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 5)
    path.write_bytes(path.read_bytes()[:-7])
    writer = JournalWriter(path, HEADER, reopen=True)
    assert writer.append(Message, text="on").n == 5
    writer.close()
    assert steps(path) == [0, 1, 2, 3]
    assert read_all(path).broken == 1


@pytest.mark.parametrize("size", [1, 1 << 20, 3 << 20])
def test_lines_of_any_length_are_read(tmp_path: Path, size: int) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    for _ in range(3):
        writer.append(Message, text="x" * size)
    writer.close()
    assert read_all(tmp_path / "j").position.n == 3


def test_a_reader_beside_a_growing_file_gets_every_event_once_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "j"
    code = (
        "import sys; from pathlib import Path; from trackhub.events import Header; "
        "from trackhub.journal import JournalWriter\n"
        "writer = JournalWriter(Path(sys.argv[1]), Header(trackhub=1, run_id='x'))\n"
        "for step in range(20_000): writer.append_metrics(1.0, step, {'a': step * 0.1, 'text' * 20: 1})\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
        tail, found = Tail(path), []
        while True:
            over = process.poll() is not None
            events = tail.read()
            found += [event.n for event, _ in events]
            if over and not events:
                break
    assert found == list(range(1, 20_001))
    assert tail.broken == 0


def test_a_reader_goes_on_exactly_where_another_stopped(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 50)
    events = Tail(path).read()
    for number in (0, 1, 25, 49):
        rest = Tail(path, events[number][1]).read()
        assert [event.n for event, _ in rest] == list(range(number + 2, 51))


def test_a_reader_knows_a_file_that_was_cut_or_changed_behind_its_back(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 50)
    content = path.read_bytes()
    position = read_all(path).position
    assert Tail(path, position).matches()
    path.write_bytes(content[:-1])
    assert not Tail(path, position).matches()
    path.write_bytes(content[:-10] + b"X" + content[-9:])
    assert not Tail(path, position).matches()
    path.unlink()
    assert not Tail(path, position).matches()


def test_a_second_writer_in_this_process_is_refused(tmp_path: Path) -> None:
    first = JournalWriter(tmp_path / "j", HEADER)
    for reopen in (False, True):
        with pytest.raises(JournalBusy):
            JournalWriter(tmp_path / "j", HEADER, reopen=reopen)
    first.close()
    with pytest.raises(JournalBusy, match="one writer, for ever"):
        JournalWriter(tmp_path / "j", HEADER)
    JournalWriter(tmp_path / "j", HEADER, reopen=True).close()


def test_a_writer_in_another_process_is_refused_until_that_process_dies(tmp_path: Path) -> None:
    path = tmp_path / "j"
    code = (
        "import sys, time; from pathlib import Path; from trackhub.events import Header; "
        "from trackhub.journal import JournalWriter\n"
        "writer = JournalWriter(Path(sys.argv[1]), Header(trackhub=1, run_id='x'))\n"
        "print('ready', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        assert locks.is_locked(path) is True
        with pytest.raises(JournalBusy, match="another process"):
            JournalWriter(path, HEADER, reopen=True)
        other.send_signal(signal.SIGKILL)
    assert locks.is_locked(path) is False
    JournalWriter(path, HEADER, reopen=True).close()


def test_readers_that_ask_for_a_lock_all_the_time_do_not_refuse_the_writer(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 1)
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            locks.is_locked(path)
            stop.wait(0.0005)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(50):
            JournalWriter(path, HEADER, reopen=True).close()
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def test_a_folder_that_is_not_there_is_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=f"{tmp_path}/no/j"):
        JournalWriter(tmp_path / "no" / "j", HEADER)


def test_the_header_says_who_writes(tmp_path: Path) -> None:
    from trackhub.processes import host, is_alive

    JournalWriter(tmp_path / "j", new_header("id", "name", rank=3, attempt=2)).close()
    header = read_all(tmp_path / "j").header
    assert header is not None
    assert (header.run_id, header.run_name, header.rank, header.attempt) == ("id", "name", 3, 2)
    assert (header.pid, header.host) == (os.getpid(), host())
    assert is_alive(header.pid, header.pid_started)


def test_text_that_utf_8_cannot_hold_does_not_stop_an_event(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    writer.append(Message, text="a\udcffb", level="info")
    writer.append_metrics(1.0, 0, {"a": 1.0})
    writer.close()
    first, second = (event for event, _ in Tail(tmp_path / "j").read())
    assert isinstance(first, Message)
    assert first.text == "a\\udcffb"
    assert second.n == 2


class Disk:
    """`os.write`, on a disk that takes `room` more bytes, or pieces of at most `piece` bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int = 1 << 40, piece: int = 1 << 40) -> None:
        self.room = room
        self.piece = piece
        self.calls = 0
        self._write: Callable[[int, bytes], int] = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.calls += 1
        taken = min(len(data), self.room, self.piece)
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= taken
        return self._write(descriptor, data[:taken])


@pytest.mark.parametrize("piece", [1, 7, 40])
def test_short_writes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    said: list[str] = []
    Disk(monkeypatch, piece=piece)
    writer = JournalWriter(tmp_path / "j", HEADER, trouble=said.append)
    for step in range(10):
        writer.append_metrics(1.0, step, {"a": 1.0})
        assert writer.waiting == 0
    writer.close()
    assert steps(tmp_path / "j") == list(range(10))
    assert read_all(tmp_path / "j").broken == 0
    assert said == []


@pytest.mark.parametrize("room", [0, 1, 30, 71, 72, 500])
def test_events_wait_for_a_full_disk_and_are_written_in_order_when_it_takes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    said: list[str] = []
    writer = JournalWriter(tmp_path / "j", HEADER, trouble=said.append)
    disk = Disk(monkeypatch, room)
    for step in range(200):
        writer.append_metrics(1.0, step, {"a": 1.0})
    assert writer.waiting > 100
    assert len(said) == 1
    assert "No space left" in said[0]
    disk.room = 1 << 40
    assert writer.retry(now=True)
    assert len(said) == 2
    assert "written again" in said[1]
    assert "lost" not in said[1]
    writer.append_metrics(1.0, 200, {"a": 1.0})
    writer.close()
    assert steps(tmp_path / "j") == list(range(201))
    assert read_all(tmp_path / "j").broken == 0


def test_a_full_disk_is_not_asked_again_at_every_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)
    disk = Disk(monkeypatch, 0)
    for step in range(1000):
        writer.append_metrics(1.0, step, {"a": 1.0})
    assert disk.calls < 10
    disk.room = 1 << 40
    writer.close()


def test_a_disk_that_stays_full_to_the_end_is_told_with_what_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    writer = JournalWriter(tmp_path / "j", HEADER, trouble=said.append)
    Disk(monkeypatch, 0)
    for step in range(5):
        writer.append_metrics(1.0, step, {"a": 1.0})
    writer.close()
    assert "5 events are lost" in said[-1]


def test_threads_that_log_at_once_get_strictly_increasing_ordinals(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j", HEADER)

    def work(name: int) -> None:
        for step in range(500):
            writer.append_metrics(1.0, step, {f"t{name}": step})

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.close()
    tail = Tail(tmp_path / "j")
    assert [event.n for event, _ in tail.read()] == list(range(1, 4001))
    assert tail.broken == 0


def test_megabytes_of_junk_and_of_events_of_newer_kinds_do_not_look_like_the_end(tmp_path: Path) -> None:
    path = written(tmp_path / "j", 3)
    with path.open("ab") as file:
        file.write(b"junk\n" * 250_000)
        file.write(b'{"kind":"hologram","n":4,"t":1.0}\n' * 50_000)
        file.write(b'{"kind":"metrics","n":5,"t":1.0,"step":3,"metrics":{"a":1}}\n')
    assert steps(path) == [0, 1, 2, 3]
    assert read_all(path).broken == 250_000
