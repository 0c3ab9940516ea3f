"""What all tests share: an environment of their own, strict values, and no process left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from trackhub.testing import install, no_survivors, on_path

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell in the background ignores it, and children inherit that
os.environ.pop("COLUMNS", None)  # tables are as wide as they want to be, also where a console is made at an import


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the developer's settings, or the runs folder of another test."""
    for name in list(os.environ):
        if name == "COLUMNS" or name.startswith(("TRACKHUB_", "SWANLAB_", "WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRACKHUB_RUNS_DIR", str(tmp_path / "runs"))
    monkeypatch.setenv("TRACKHUB_LINGER", "0")
    monkeypatch.setenv("TRACKHUB_SYSTEM_EVERY", "0")
    monkeypatch.setenv("TRACKHUB_STRICT", "1")


@pytest.fixture(autouse=True)
def nobody_survives(own_environment: None) -> Iterator[None]:
    """No process outlives its test."""
    with no_survivors():
        yield


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """The runs folder of this test."""
    return tmp_path / "runs"


@pytest.fixture
def test_trackers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`rec` and `sick` are installed: the recorder, and the one that misbehaves."""
    folder = install(
        tmp_path / "plugins",
        rec="trackhub.testing.recording:RecordingTracker",
        sick="trackhub.testing.recording:FaultyTracker",
    )
    monkeypatch.setenv("PYTHONPATH", on_path(folder))
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def shared() -> Path:
    """The folder of real data beside the project; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no folder of real data beside the project")
    return folder
