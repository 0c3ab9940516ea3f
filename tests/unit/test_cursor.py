"""How far a courier has got: one file, all of it or nothing of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from trackhub import JournalError
from trackhub.delivery import cursor as cursors
from trackhub.delivery.cursor import KEPT, Cursor, Progress
from trackhub.journal import Position


def test_what_is_stored_is_what_is_loaded(tmp_path: Path) -> None:
    cursor = Cursor(tracker="rec", run_id="x", state={"size": 7, "list": [1.5, None]}, remembered={"run_id": "r"})
    cursor.safe.positions["rank-0.jsonl"] = Position(100, 3, 20, 12345)
    cursor.safe.add_rejection("rank-0.jsonl", 2, "metrics", "no")
    cursors.store(tmp_path / "delivery" / "rec.json", cursor)
    assert cursors.load(tmp_path / "delivery" / "rec.json", "rec") == cursor
    assert os.listdir(tmp_path / "delivery") == ["rec.json"]  # noqa: PTH208 - names


def test_none_on_disk_is_a_new_one(tmp_path: Path) -> None:
    assert cursors.load(tmp_path / "none.json", "rec") == Cursor(tracker="rec")


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 50, b"[]"])
def test_one_that_cannot_be_read_is_never_taken_for_a_new_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rec.json").write_bytes(content)
    with pytest.raises(JournalError, match="Move it away"):
        cursors.load(tmp_path / "rec.json", "rec")


def test_one_of_a_newer_format_is_refused_with_the_command_that_upgrades(tmp_path: Path) -> None:
    (tmp_path / "rec.json").write_bytes(msgspec.json.encode(Cursor(tracker="rec", trackhub=2)))
    with pytest.raises(JournalError, match="pip install --upgrade trackhub-ml"):
        cursors.load(tmp_path / "rec.json", "rec")


def test_a_kill_while_it_is_stored_leaves_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from trackhub.delivery import cursor as cursors\n"
        "path = Path(sys.argv[1]); number = 0\n"
        "while True:\n"
        "    number += 1\n"
        "    cursors.store(path, cursors.Cursor(tracker='rec', run_id='x' * 100_000, state=[number] * 1000))\n"
    )
    path = tmp_path / "rec.json"
    for _ in range(5):
        with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
            while not path.exists():
                time.sleep(0.01)
            time.sleep(0.05)
            process.kill()
        state = cursors.load(path, "rec").state
        assert len(state) == 1000
        assert len(set(state)) == 1


def test_a_full_disk_leaves_the_old_one_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rec.json"
    cursors.store(path, Cursor(tracker="rec", run_id="old"))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        cursors.store(path, Cursor(tracker="rec", run_id="new"))
    assert cursors.load(path, "rec").run_id == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["rec.json"]


def test_a_copy_is_independent() -> None:
    one = Progress()
    two = one.copy()
    two.positions["f"] = Position(1)
    two.add_mapping("a", "b")
    two.add_rejection("f", 1, "w", "r")
    assert one == Progress()


def test_rejections_are_all_counted_and_the_first_hundred_kept_word_for_word() -> None:
    progress = Progress()
    for number in range(KEPT + 50):
        progress.add_rejection("f", number, "w", "r")
        progress.add_mapping(f"k{number}", "m")
    assert progress.rejected == KEPT + 50
    assert [one.n for one in progress.rejections] == list(range(KEPT))
    assert len(progress.mapped) == KEPT


def test_what_a_user_should_know_is_said_once_and_the_latest_twenty_are_kept() -> None:
    cursor = Cursor(tracker="rec")
    for number in range(30):
        cursor.tell(f"line {number}")
        cursor.tell(f"line {number}")
    assert cursor.told == [f"line {number}" for number in range(10, 30)]
