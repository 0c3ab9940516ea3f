"""What csv, jsonl and tensorboard promise alike: every point exactly, exactly once, and nobody else's file touched."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import file_trackers
import pytest
from file_trackers import EXACT, FILES, START, TRACKERS, StoredRun, deliver, load, points_of, some_rows, store, stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackhub.delivery.facade import Tracker
from trackhub.plugin import Rebuild, Row
from trackhub.testing import SomeRun, open_tracker

HOSTILE = [
    "a,b",
    'say "hi"',
    '"',
    "two\nlines",
    "carriage\rreturn\r\n",
    "🙂",
    "深度/学习",
    "x" * 10_000,
    "",
    " ",
    "nan",
    "=1+1",
    "nul\0",
    "\u2028",
    "step",
    "timestamp",
    "metric.step",
    "Step",
]
NUMBERS = [0.0, -0.0, 0.1, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e16, 2**53 + 1, -(2**64), 10**400, 3]


@pytest.fixture(params=sorted(TRACKERS))
def tracker(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "some-run"
    path.mkdir()
    return path


@pytest.fixture
def file(tracker: str, folder: Path) -> Path:
    return folder / FILES[tracker]


def opened(tracker: str, folder: Path, state: Any = None, **options: Any) -> Tracker:
    return open_tracker(TRACKERS[tracker], SomeRun(folder), state, **options)


def flushed(tracker: Tracker) -> Any:
    sealed, state = tracker.flush()
    assert sealed
    return json.loads(json.dumps(state))


def closed(tracker: Tracker) -> Any:
    tracker.on_run_end("finished", {})
    return flushed(tracker)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("tracker", EXACT)
def test_every_key_step_value_and_time_is_read_back_exactly(tracker: str, folder: Path, file: Path) -> None:
    rows = [Row(dict.fromkeys(HOSTILE, value), step, START + step / 3, step) for step, value in enumerate(NUMBERS)]
    plugin = opened(tracker, folder)
    flushed(plugin)
    plugin.log_rows(rows)
    state = closed(plugin)
    assert stored(file) == points_of(rows)
    for reader in (plugin, opened(tracker, folder, state)):
        for key in HOSTILE:
            assert repr(reader.read_back(key)) == repr([(row.step, row.metrics[key], row.timestamp) for row in rows])
        assert reader.read_back("never logged") == []


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.floats() | st.integers() | st.integers(-(2**70), 2**70)
BATCHES = st.lists(
    st.lists(
        st.builds(
            Row,
            st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
            st.integers(-5, 2**60),
            st.floats(0, 1e11),
            st.just(0),
        ),
        min_size=1,
        max_size=5,
    ),
    max_size=5,
)


@pytest.mark.parametrize("tracker", EXACT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_whatever_is_logged_comes_back(
    tracker: str, batches: list[list[Row]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    plugin = opened(tracker, folder)
    for batch in batches:
        plugin.log_rows(batch)
    closed(plugin)
    rows = [row for batch in batches for row in batch]
    for key in {key for row in rows for key in row.metrics}:
        expected = [(row.step, row.metrics[key], row.timestamp) for row in rows if key in row.metrics]
        assert repr(plugin.read_back(key)) == repr(expected)


def test_a_key_that_no_utf8_file_can_hold_is_declared_so_that_it_is_mapped(tracker: str) -> None:
    forbidden = TRACKERS[tracker].limits.key_forbidden  # type: ignore[attr-defined]
    assert re.search(forbidden, "a\ud800")
    assert not any(re.search(forbidden, key) for key in HOSTILE)


def test_a_courier_killed_at_any_line_leaves_each_point_once(tracker: str, tmp_path: Path) -> None:
    every = "7"  # 1 takes a minute, and passes as well
    command = [sys.executable, file_trackers.__file__, tracker, str(tmp_path), every]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 40


def test_a_resumed_delivery_goes_on_below(tracker: str, folder: Path, file: Path) -> None:
    deliver(tracker, folder, some_rows(7))
    deliver(tracker, folder, some_rows(30))
    assert stored(file) == points_of(some_rows(30))


def test_what_was_written_after_the_state_is_taken_away(tracker: str, folder: Path, file: Path) -> None:
    deliver(tracker, folder, some_rows(5))
    size, cursor = file.stat().st_size, load(folder)
    deliver(tracker, folder, some_rows(20))
    store(folder, cursor)
    opened(tracker, folder, cursor["state"])
    if tracker != "csv":
        assert file.stat().st_size == size
    deliver(tracker, folder, some_rows(20))
    assert stored(file) == points_of(some_rows(20))


@pytest.mark.parametrize("damage", ["gone", "empty", "shorter", "changed", "another"])
def test_a_file_that_is_not_what_was_stored_is_built_again(tracker: str, folder: Path, file: Path, damage: str) -> None:
    deliver(tracker, folder, some_rows(12), end=False)
    state = load(folder)["state"]
    content, size = file.read_bytes(), next(state[key]["size"] for key in ("table", "lines", "events") if key in state)
    wrong = {"empty": b"", "shorter": content[: size - 1], "changed": b"#" + content, "another": b"my own notes\n"}
    file.unlink() if damage == "gone" else file.write_bytes(wrong[damage])
    with pytest.raises(Rebuild, match=f"{re.escape(file.name)} is "):
        opened(tracker, folder, state)
    deliver(tracker, folder, some_rows(15))
    assert stored(file) == points_of(some_rows(15))
    kept = file.with_name(f"{file.name}.kept-1")
    if damage in ("changed", "another"):
        assert kept.read_bytes() == wrong[damage]


def test_a_file_that_the_user_has_there_is_kept(tracker: str, folder: Path, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text("my own\n")
    file.with_name(f"{file.name}.kept-1").write_text("an older one\n")
    deliver(tracker, folder, some_rows(5))
    assert stored(file) == points_of(some_rows(5))
    assert file.with_name(f"{file.name}.kept-1").read_text() == "an older one\n"
    assert file.with_name(f"{file.name}.kept-2").read_text() == "my own\n"


def test_a_users_file_that_replaces_ours_before_the_first_row_is_kept(tracker: str, folder: Path, file: Path) -> None:
    deliver(tracker, folder, [], end=False)
    file.write_text("my own\n")
    deliver(tracker, folder, some_rows(5))
    assert stored(file) == points_of(some_rows(5))
    assert file.with_name(f"{file.name}.kept-1").read_text() == "my own\n"


def test_an_empty_file_of_an_earlier_courier_is_taken(tracker: str, folder: Path, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    file.touch()
    deliver(tracker, folder, some_rows(5))
    assert not list(folder.rglob("*.kept-*"))


def test_a_file_that_somebody_writes_to_is_opened_again_at_the_cursor(tracker: str, folder: Path, file: Path) -> None:
    plugin = opened(tracker, folder)
    plugin.log_rows(some_rows(1))
    state = flushed(plugin)
    with file.open("a") as mine:
        mine.write("a line\n")
    with pytest.raises(OSError, match="somebody else wrote to it"):
        plugin.log_rows(some_rows(1, first=1))
    again = opened(tracker, folder, state)
    again.log_rows(some_rows(1, first=1))
    closed(again)
    assert stored(file) == points_of(some_rows(2))


def test_a_full_disk_leaves_the_file_whole_and_the_same_call_works_later(
    tracker: str, folder: Path, file: Path
) -> None:
    rows = [Row({"loss": step / 8}, step, START + step, step) for step in range(2000)]
    plugin = opened(tracker, folder)
    plugin.log_rows(rows[:10])
    before = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="too large"):
                plugin.log_rows(rows[10:])
            assert file.read_bytes() == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    plugin.log_rows(rows[10:])
    closed(plugin)
    assert stored(file) == points_of(rows)


def test_a_rewind_discards_the_file_and_asks_for_everything_again(tracker: str, folder: Path, file: Path) -> None:
    deliver(tracker, folder, some_rows(20))
    plugin = opened(tracker, folder, load(folder)["state"])
    with pytest.raises(Rebuild, match="step 9"):
        plugin.on_rewind(9)
    assert not file.exists()
    store(folder, {**load(folder), "done": 0, "state": None})
    deliver(tracker, folder, some_rows(10))
    assert stored(file) == points_of(some_rows(10))
    assert not list(folder.rglob("*.kept-*"))


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_users_umask(tracker: str, folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        deliver(tracker, folder, some_rows(20))
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o666 & ~mask}, modes


def test_a_mode_that_the_user_gave_stays(tracker: str, folder: Path, file: Path) -> None:
    deliver(tracker, folder, some_rows(3), end=False)
    file.chmod(0o660)
    deliver(tracker, folder, some_rows(20))
    assert file.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize("tracker", EXACT)
@pytest.mark.parametrize("name", ["../up", "sub/x", "/tmp/x", "", ".hidden", "journal/rank-0", "x\0", "a\\b"])
def test_a_file_name_that_leaves_the_run_folder_is_refused(tracker: str, name: str) -> None:
    plugin_class = TRACKERS[tracker]
    with pytest.raises(ValueError, match=f"plain name that ends in .{tracker}"):
        plugin_class(plugin_class.Options(file=f"{name}.{tracker}"))  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="plain name"):
        plugin_class(plugin_class.Options(file="config.yaml"))  # type: ignore[attr-defined]


@pytest.mark.parametrize("tracker", EXACT)
def test_another_file_name_starts_another_file(tracker: str, folder: Path, file: Path) -> None:
    plugin = opened(tracker, folder)
    plugin.log_rows(some_rows(5))
    state = closed(plugin)
    with pytest.raises(Rebuild, match=f"was metrics.{tracker} and is other.{tracker} now"):
        opened(tracker, folder, state, file=f"other.{tracker}")
    plugin = opened(tracker, folder, file=f"other.{tracker}")
    plugin.log_rows(some_rows(5))
    closed(plugin)
    assert stored(folder / f"other.{tracker}") == stored(file)


def test_the_tracker_says_where_its_file_is(tracker: str, folder: Path, file: Path) -> None:
    run = StoredRun(folder)
    open_tracker(TRACKERS[tracker], run)
    assert run.remembered["file"] == file.relative_to(folder).as_posix()
