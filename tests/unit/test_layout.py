"""Every path of a run, and how a run is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackhub import ConfigError
from trackhub.layout import RunFolder, all_runs, find_run, runs_dir, safe_name


@given(st.text(st.characters(), max_size=300))
def test_a_safe_name_is_one_short_file_name_and_stays_what_it_is(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert safe not in (".", "..")
    assert not set('/\\:*?"<>|\0\n') & set(safe)
    assert safe == safe.strip(" .")
    assert len(safe.encode()) <= 201
    assert safe_name(safe) == safe


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "COM1", "lpt9.log"])
def test_names_that_windows_reserves_are_changed(name: str) -> None:
    assert safe_name(name) == f"_{name}"


@pytest.mark.parametrize("name", ["arc-challenge_lora", "a b", "模型", "x=1,y=2", "run@2", "v1.0(2)"])
def test_ordinary_names_stay_as_they_are(name: str) -> None:
    assert safe_name(name) == name


def test_the_runs_folder_is_the_argument_else_the_variable_else_runs_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKHUB_RUNS_DIR", "from-variable")
    assert runs_dir("given") == tmp_path / "given"
    assert runs_dir() == tmp_path / "from-variable"
    monkeypatch.delenv("TRACKHUB_RUNS_DIR")
    assert runs_dir() == tmp_path / "runs"


def test_a_run_is_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "arc_1" / "journal").mkdir(parents=True)
    (tmp_path / "runs" / "no-run").mkdir()
    (tmp_path / "runs" / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    expected = tmp_path / "runs" / "arc_1"
    assert find_run("arc_1", "runs").path == expected
    assert find_run("runs/arc_1", "elsewhere").path == expected
    assert find_run(expected).path == expected
    assert [folder.path for folder in all_runs(tmp_path / "runs")] == [expected]
    assert all_runs(tmp_path / "none") == []
    for wrong in ("arc_2", "no-run", "file", "\0"):
        with pytest.raises(ConfigError, match="neither a run folder nor a name"):
            find_run(wrong, "runs")
    with pytest.raises(ConfigError, match="Close matches: arc_1"):
        find_run("arc_2", "runs")


def test_making_a_folder_object_touches_no_disk(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "x")
    assert not folder.path.exists()
    paths = {path for path in vars(folder).values() if isinstance(path, Path)}
    assert all(path.is_relative_to(folder.path) for path in paths)


def test_a_tracker_s_name_cannot_lead_its_files_out_of_the_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "x")
    for name in ("../../x", "/etc/passwd", "a\0b"):
        assert folder.cursor(name).parent == folder.delivery
        assert folder.courier_lock(name).parent == folder.supervisor_lock.parent
