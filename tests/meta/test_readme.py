"""What the README shows works as it stands: the ten lines, and the plugin in twenty."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trackhub.testing import install, on_path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
LIBRARY, PLUGIN, KIT = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def run_python(code: str, folder: Path, **environment: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=folder, env={**os.environ, **environment}, check=True)


def test_the_ten_lines_of_python_run(tmp_path: Path, runs: Path) -> None:
    run_python(LIBRARY, tmp_path)
    (run,) = runs.glob("my-run_*")
    assert len((run / "metrics.csv").read_text().splitlines()) == 101
    assert list(run.glob("swanlab_logs/run-*/*.swanlab"))


def test_the_plugin_in_twenty_lines_is_a_tracker(tmp_path: Path, runs: Path) -> None:
    assert len(PLUGIN.splitlines()) <= 20
    folder = install(tmp_path / "plugin", mine="my_tracker:MyTracker")
    (folder / "my_tracker.py").write_text(PLUGIN)
    code = "import trackhub\nwith trackhub.start(trackers='mine') as run: run.log_metrics({'loss': 0.5}, step=3)"
    run_python(code, tmp_path, PYTHONPATH=on_path(folder))
    (file,) = runs.glob("run_*/mine.jsonl")
    row = json.loads(file.read_text())
    assert (row["step"], row["loss"]) == (3, 0.5)


def test_the_plugin_in_twenty_lines_passes_the_kit_as_the_page_shows_it(tmp_path: Path) -> None:
    (tmp_path / "my_tracker.py").write_text(PLUGIN)
    (tmp_path / "test_mine.py").write_text(KIT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_plugin_in_twenty_lines_is_a_tracker_without_packaging(tmp_path: Path, runs: Path) -> None:
    (tmp_path / "my_tracker.py").write_text(PLUGIN)
    trackers = "my_tracker.py:MyTracker,csv"
    run_python(
        f"import trackhub\nwith trackhub.start(trackers={trackers!r}) as run: run.log_metrics({{'a': 1}})", tmp_path
    )
    assert len(list(runs.glob("run_*/mine.jsonl"))) == 1


@pytest.mark.parametrize("command", ["trainer --trackers swanlab,csv", "trackhub runs", "make demo", "make test"])
def test_the_commands_that_are_named_exist(command: str) -> None:
    assert command in README
    word, name = command.split()[:2]
    if word == "make":
        makefile = (Path(__file__).resolve().parents[2] / "Makefile").read_text()
        assert re.search(rf"^{name}:", makefile, re.MULTILINE)
    else:
        assert Path(sys.executable).with_name(word).exists()
