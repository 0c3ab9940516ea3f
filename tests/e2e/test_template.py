"""A stranger's plugin: its wheel in a fresh environment, listed, used by the trainer, through the kit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from trackhub.layout import all_runs

TEMPLATE = Path(__file__).resolve().parents[2] / "plugins" / "template"
TRAINER = "from trackhub_trainer.cli import main; main()"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment that sees what this one has, with the template's wheel installed."""
    folder = tmp_path_factory.mktemp("stranger")
    shutil.copytree(TEMPLATE, folder / "project", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder / "wheels"), str(folder / "project")], check=True)
    (wheel,) = (folder / "wheels").glob("trackhub_template-*.whl")
    venv.create(folder / "venv", with_pip=False)
    found = folder / "venv" / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")}))
    (site / "beside.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    subprocess.run([*pip, "--python", str(found), "install", "--no-deps", str(wheel)], check=True)
    return found


def run(python: Path, *arguments: str, cwd: Path) -> str:
    done = subprocess.run([str(python), *arguments], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_is_listed_beside_the_others(python: Path, tmp_path: Path) -> None:
    listed = {one["name"]: one for one in json.loads(run(python, "-m", "trackhub", "trackers", "--json", cwd=tmp_path))}
    assert (listed["template"]["distribution"], listed["template"]["ready"]) == ("trackhub-template", True)
    assert listed["csv"]["ready"]


def test_the_trainer_uses_it(python: Path, tmp_path: Path) -> None:
    command = ["-c", TRAINER, "--trackers", "template,csv", "--max-steps", "3", "--runs-dir", str(tmp_path / "runs")]
    run(python, *command, cwd=tmp_path)
    (folder,) = all_runs(tmp_path / "runs")
    assert (folder.path / "template.jsonl").read_text().count("train/loss") == 3


def test_its_own_tests_are_green_as_they_are(python: Path, tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    os.environ.pop("PYTEST_ADDOPTS", None)
    told = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests"), cwd=tmp_path)
    assert " passed" in told
    assert "failed" not in told
