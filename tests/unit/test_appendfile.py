"""`AppendFile`: the truncating file that tracker plugins share."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from trackhub.plugin import AppendFile, Rebuild, keep_aside, replace_file


def flushed(file: AppendFile) -> dict[str, int]:
    state: dict[str, int] = json.loads(json.dumps(file.flush()))
    return state


def test_it_is_cut_back_to_its_state_and_grows_from_there(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "f")
    file.append(b"kept ")
    state = flushed(file)
    file.append(b"lost")
    again = AppendFile(tmp_path / "f", state)
    again.append(b"new")
    assert (tmp_path / "f").read_bytes() == b"kept new"
    assert b"".join(again.read(5)) == b"new"


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 100_000])
def test_any_size_is_known_again_and_another_file_is_not(tmp_path: Path, size: int) -> None:
    file = AppendFile(tmp_path / "f")
    file.append(b"x" * size)
    state = flushed(file)
    assert AppendFile(tmp_path / "f", state).size == size
    (tmp_path / "f").write_bytes(b"y" * (size + 1))
    with pytest.raises(Rebuild, match=r"kept as f\.kept-1"):
        AppendFile(tmp_path / "f", state)
    assert (tmp_path / "f.kept-1").read_bytes() == b"y" * (size + 1)


def test_a_shorter_file_is_removed_so_that_it_is_built_again(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "f", checked=10)
    file.append(b"x" * 100)
    state = flushed(file)
    (tmp_path / "f").write_bytes(b"x" * 99)
    with pytest.raises(Rebuild, match="shorter"):
        AppendFile(tmp_path / "f", state)
    assert not list(tmp_path.iterdir())
    with pytest.raises(Rebuild, match="gone"):
        AppendFile(tmp_path / "f", state)


@pytest.mark.parametrize(("content", "ours"), [(b"TH", True), (b"THUB data", True), (b"T-", False), (b"", True)])
def test_a_file_recorded_as_empty_is_ours_if_it_begins_so(tmp_path: Path, content: bytes, ours: bool) -> None:
    state = flushed(AppendFile(tmp_path / "f", begins=b"THUB"))
    (tmp_path / "f").write_bytes(content)
    if ours:
        assert AppendFile(tmp_path / "f", state, begins=b"THUB").size == 0
        assert (tmp_path / "f").read_bytes() == b""
    else:
        with pytest.raises(Rebuild, match="kept"):
            AppendFile(tmp_path / "f", state, begins=b"THUB")


def test_what_is_there_without_a_state_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    AppendFile(tmp_path / "f").append(b"x")
    AppendFile(tmp_path / "f").append(b"y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f", "f.kept-1", "f.kept-2"]
    assert (tmp_path / "f.kept-2").read_bytes() == b"x"


def test_a_link_to_nowhere_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to(tmp_path / "nowhere")
    AppendFile(tmp_path / "f").append(b"x")
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "f.kept-1").is_symlink()


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data[:3]))

    monkeypatch.setattr("builtins.open", lambda path, mode, _buffering: Short(path, mode))
    file = AppendFile(tmp_path / "f")
    file.append(b"0123456789")
    monkeypatch.undo()
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_a_removed_file_is_an_oserror_and_does_not_come_back(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "f")
    (tmp_path / "f").unlink()
    with pytest.raises(FileNotFoundError):
        file.append(b"x")
    assert not list(tmp_path.iterdir())


def test_a_rewrite_is_made_from_the_old_content_in_one_step(tmp_path: Path) -> None:
    file = AppendFile(tmp_path / "f")
    file.append(b"a" * 3_000_000)
    file.rewrite((chunk.replace(b"a", b"bc") for chunk in file.read()), checked=7)
    file.append(b"!")
    assert (tmp_path / "f").read_bytes() == b"bc" * 3_000_000 + b"!"
    assert flushed(file)["checked"] == 7


def test_a_replacement_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")

    def chunks() -> Any:
        yield b"new"
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        replace_file(tmp_path / "f", chunks())
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_a_leftover_of_a_killed_replacement_goes_when_the_file_is_opened(tmp_path: Path) -> None:
    (tmp_path / ".f.new").write_text("half")
    AppendFile(tmp_path / "f")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_keep_aside_takes_the_next_free_number(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / "f").write_text(str(number))
        assert keep_aside(tmp_path / "f").name == f"f.kept-{number}"
