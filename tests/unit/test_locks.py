"""A lock is a sign of life: held by one, seen by all, and gone with its holder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trackhub import locks
from trackhub.locks import FileLock


def test_one_holds_it_and_another_does_not_get_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "sub" / "lock"), FileLock(tmp_path / "sub" / "lock")
    assert first.acquire()
    assert not second.acquire()
    assert locks.is_locked(first.path) is True
    first.release()
    assert locks.is_locked(first.path) is False
    assert second.acquire()
    second.release()
    second.release()


def test_a_file_that_is_not_there_is_not_locked(tmp_path: Path) -> None:
    assert locks.is_locked(tmp_path / "none") is False


def test_it_dies_with_its_holder_whatever_children_live(tmp_path: Path) -> None:
    """The holder starts a child that inherits no descriptor, and is killed."""
    code = (
        "import subprocess, sys, time; from pathlib import Path; from trackhub.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); assert lock.acquire()\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        assert locks.is_locked(path) is True
        holder.kill()
        holder.wait()
        try:
            assert locks.is_locked(path) is False
        finally:
            os.kill(child, 9)


def test_who_asks_whether_it_is_held_does_not_keep_others_from_taking_it(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    lock.release()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            locks.is_locked(lock.path)
            stop.wait(0.0005)

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(100):
            assert lock.acquire()
            lock.release()
    finally:
        stop.set()
        for asker in askers:
            asker.join()


def test_a_file_system_without_locks_says_so_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(_descriptor: int, _shared: bool) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_try_lock", unsupported)
    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    assert locks.is_locked(lock.path) is None
    lock.release()


def test_without_locks_host_pid_and_start_time_decide_who_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trackhub.journal import JournalWriter
    from trackhub.journal.state import is_written
    from trackhub.journal.writing import new_header

    def unsupported(_descriptor: int, _shared: bool) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_try_lock", unsupported)
    writer = JournalWriter(tmp_path / "j", new_header("id", "name"))
    assert not writer.locked
    assert is_written(tmp_path / "j")
    writer.close()
    content = (tmp_path / "j").read_bytes()
    (tmp_path / "dead").write_bytes(content.replace(b'"pid_started":', b'"pid_started":1'))
    assert not is_written(tmp_path / "dead")
    (tmp_path / "elsewhere").write_bytes(content.replace(b'"host":"', b'"host":"another-'))
    assert is_written(tmp_path / "elsewhere")
