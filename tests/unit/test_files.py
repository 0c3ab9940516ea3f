"""Files that are kept with a run: linked or copied, never in place of another, never an exception."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from trackhub import files


def test_a_kept_file_is_a_link_and_a_second_of_the_name_gets_a_number(tmp_path: Path) -> None:
    source = tmp_path / "a.bin"
    source.write_bytes(b"1")
    first = files.keep(source, tmp_path / "kept" / "a.bin")
    second = files.keep(source, tmp_path / "kept" / "a.bin")
    assert first is not None
    assert second is not None
    assert first.samefile(source)
    assert second.name == "a-2.bin"


def test_across_file_systems_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_source: object, _target: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = tmp_path / "a.bin"
    source.write_bytes(b"content")
    kept = files.keep(source, tmp_path / "kept" / "a.bin")
    assert kept is not None
    assert not kept.samefile(source)
    assert kept.read_bytes() == b"content"


def test_what_a_link_points_to_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"content")
    (tmp_path / "link").symlink_to("a.bin")
    kept = files.keep(tmp_path / "link", tmp_path / "kept" / "link")
    (tmp_path / "a.bin").unlink()
    assert kept is not None
    assert kept.read_bytes() == b"content"


def test_what_cannot_be_kept_gives_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "a.bin").write_bytes(b"1")
    assert files.keep(tmp_path / "missing", tmp_path / "kept" / "x") is None
    assert files.keep(tmp_path, tmp_path / "kept" / "x") is None
    assert files.keep(tmp_path / "a.bin", tmp_path / "file" / "below" / "x") is None
    assert files.keep_named(None, None, tmp_path) is None  # type: ignore[arg-type]
    assert files.locate(7, tmp_path) is None  # type: ignore[arg-type]


def test_sizes_are_of_files_and_of_whole_folders(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "one").write_bytes(b"123")
    (tmp_path / "d" / "e" / "two").write_bytes(b"45")
    (tmp_path / "d" / "broken").symlink_to("nowhere")
    assert files.size(tmp_path / "d") == 5
    assert files.size(tmp_path / "d" / "one") == 3
    assert files.size(tmp_path / "gone") == 0


def test_a_path_is_told_relative_to_the_run_where_it_lies_inside(tmp_path: Path) -> None:
    assert files.relative(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert files.relative(Path("/elsewhere/b"), tmp_path) == "/elsewhere/b"
