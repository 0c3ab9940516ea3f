"""Hostile neighbours: what lies in the working folder, and a home that is read-only or missing, reach no delivery."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from trackhub.delivery.receipt import receipts
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

pytestmark = pytest.mark.alone

TRAINING = """
import trackhub
with trackhub.start(trackers="csv,jsonl,swanlab", name="neighbours", finish_timeout=60) as run:
    for step in range(20):
        run.log_metrics({"train/loss": step * 0.1, "lr": 1e-4}, step=step)
"""
MODULES = (
    "six",
    "queue",
    "trackhub",
    "msgspec",
    "pluggy",
    "swanlab",
    "json",
    "logging",
    "trackhub_csv",
    "sitecustomize",
)
ENV = "SWANLAB_MODE=disabled\nSWANLAB_API_KEY=stolen\nTRACKHUB_TRACKERS=none\n"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder where every import leaves a mark and raises."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    marker = tmp_path / "marker"
    for name in MODULES:
        code = f"open({str(marker)!r}, 'a').write('{name} ')\nraise RuntimeError('a neighbour was imported')\n"
        (folder / f"{name}.py").write_text(code)
    (folder / ".env").write_text(ENV)
    return folder


def train(tmp_path: Path, here: Path, **environment: str | None) -> subprocess.CompletedProcess[str]:
    """`python script.py` in the folder `here`, where the script itself lies elsewhere."""
    scripts = tmp_path / "scripts"
    scripts.mkdir(exist_ok=True)
    (scripts / "train.py").write_text(TRAINING)
    env = {**os.environ, **{name: value for name, value in environment.items() if value is not None}}
    for name, value in environment.items():
        if value is None:
            env.pop(name, None)
    command = [sys.executable, str(scripts / "train.py")]
    return subprocess.run(command, cwd=here, env=env, capture_output=True, text=True, check=False)


def assert_all_arrived(runs: Path) -> RunFolder:
    (folder,) = all_runs(runs)
    assert state(folder).status == "finished"
    found = {receipt.tracker: receipt for receipt in receipts(folder)}
    assert set(found) == {"csv", "jsonl", "swanlab"}
    assert all(receipt.complete for receipt in found.values()), found
    assert all(receipt.delivered == 20 for receipt in found.values())
    assert len((folder.path / "metrics.csv").read_text().splitlines()) == 21
    assert len((folder.path / "metrics.jsonl").read_text().splitlines()) == 20
    assert any((folder.path / "swanlab_logs").rglob("*.swanlab"))
    return folder


def test_modules_and_an_env_file_in_the_working_folder_reach_nothing(tmp_path: Path, hostile: Path, runs: Path) -> None:
    done = train(tmp_path, hostile)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "marker").exists()
    folder = assert_all_arrived(runs)
    assert folder.delivery_log.read_text() == ""
    assert {path.name for path in hostile.iterdir()} == {".env", *(f"{name}.py" for name in MODULES)}


@pytest.mark.parametrize("entry", ["", ".", "relative"])
def test_the_working_folder_on_the_python_path_reaches_no_delivery(
    tmp_path: Path, runs: Path, entry: str, hostile: Path
) -> None:
    """An empty or relative entry means the working folder of whoever reads it; the delivery works elsewhere."""
    for name in ("trackhub", "msgspec", "json", "queue", "logging", "pluggy", "six", "sitecustomize"):
        (hostile / f"{name}.py").unlink()
    path = {"": f"{os.pathsep}{os.pathsep}", ".": ".", "relative": "."}[entry]
    done = train(tmp_path, hostile, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "marker").exists()
    assert_all_arrived(runs)


def test_a_read_only_home_is_no_matter(tmp_path: Path, hostile: Path, runs: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for inner in (".config", ".cache", ".swanlab"):
        (home / inner).mkdir()
        (home / inner).chmod(0o555)
    home.chmod(0o555)
    done = train(tmp_path, hostile, HOME=str(home), XDG_CONFIG_HOME=None, XDG_CACHE_HOME=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert_all_arrived(runs)
    written = [path for inner in home.iterdir() for path in inner.rglob("*")]
    assert written == []
    assert {path.name for path in home.iterdir()} == {".config", ".cache", ".swanlab"}


@pytest.mark.parametrize("home", [None, "", "/nonexistent/home", "/dev/null", "/proc/home"])
def test_no_home_and_homes_that_cannot_be_written_are_no_matter(
    tmp_path: Path, hostile: Path, runs: Path, home: str | None
) -> None:
    """Not even root can write below the last three."""
    done = train(tmp_path, hostile, HOME=home, USERPROFILE=None)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "marker").exists()
    assert_all_arrived(runs)


@pytest.mark.usefixtures("test_trackers")
def test_pipes_end_with_the_training_though_its_delivery_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python train.py | tee log` must not wait for a tracker that is away."""
    monkeypatch.setenv("TRACKHUB_LINGER", "3600")
    code = (
        "import trackhub\n"
        "away = {'hook': 'log_metrics', 'fault': 'away'}\n"
        "with trackhub.start(trackers={'sick': away}, finish_timeout=0) as run: run.log_metrics({'a': 1.0})\n"
        "print(run._delivery._process.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    supervisor = psutil.Process(int(done.stdout))
    try:
        assert supervisor.status() != psutil.STATUS_ZOMBIE
    finally:
        supervisor.terminate()
        supervisor.wait(20)


def test_the_working_folder_can_be_removed_while_the_training_runs(tmp_path: Path, runs: Path) -> None:
    here = tmp_path / "gone"
    here.mkdir()
    code = (
        "import os, shutil, trackhub\n"
        "with trackhub.start(trackers='csv,jsonl', finish_timeout=60) as run:\n"
        "    shutil.rmtree(os.getcwd())\n"
        "    for step in range(20): run.log_metrics({'a': step}, step=step)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (folder,) = all_runs(runs)
    assert all(receipt.complete for receipt in receipts(folder))
