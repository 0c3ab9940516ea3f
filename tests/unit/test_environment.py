"""The snapshot of where a run ran, real and under trouble."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trackhub import environment
from trackhub.environment import snapshot
from trackhub.secrets import REDACTED


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on the branch `work`."""
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "checkout", "--quiet", "-b", "work")
    (tmp_path / "train.py").write_text("lr = 1\n")
    git(tmp_path, "add", "train.py")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    return tmp_path


@pytest.fixture
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)


def test_it_tells_the_machine_python_and_the_packages(tmp_path: Path) -> None:
    found = snapshot(tmp_path, ["train.py", "--lr", "1"])
    assert found["python"] == platform.python_version()
    assert found["executable"] == sys.executable
    assert found["cpu_count"] == os.cpu_count()
    assert found["memory_mb"] > 100
    assert found["packages"]["pytest"] == metadata.version("pytest")
    assert found["argv"] == ["train.py", "--lr", "1"]
    assert "unfinished" not in found
    assert json.loads(json.dumps(found)) == found


def test_it_tells_the_commit_the_branch_and_whether_files_changed(repository: Path) -> None:
    clean = snapshot(repository, [])["git"]
    assert clean == {"commit": git(repository, "rev-parse", "HEAD"), "branch": "work", "dirty": False}
    (repository / "notes.txt").write_text("untracked files do not count\n")
    assert snapshot(repository, [])["git"]["dirty"] is False
    (repository / "train.py").write_text("lr = 2\n")
    assert snapshot(repository, [])["git"]["dirty"] is True


def test_a_detached_head_has_no_branch_and_a_subfolder_belongs_to_its_repository(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--detach")
    folder = repository / "src"
    folder.mkdir()
    assert snapshot(folder, [])["git"]["branch"] is None
    assert snapshot(folder, [])["git"]["commit"] == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("where", ["", "missing"])
def test_no_repository_is_no_git(tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert "git" not in snapshot(tmp_path / where, [])


def test_no_git_program_is_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert "git" not in snapshot(repository, [])


def test_another_repository_in_the_environment_is_not_asked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert snapshot(repository, [])["git"]["commit"] == commit


def test_git_changes_nothing_and_starts_no_monitor(repository: Path) -> None:
    witness = repository / "ran"
    git(repository, "config", "core.fsmonitor", f"touch {witness}; true")
    index = (repository / ".git" / "index").read_bytes()
    os.utime(repository / "train.py", (1, 1))
    assert snapshot(repository, [])["git"]["dirty"] is False
    assert not witness.exists()
    assert (repository / ".git" / "index").read_bytes() == index


def test_a_git_that_hangs_is_given_up(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = repository / "bin"
    tools.mkdir()
    (tools / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tools / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(environment, "_GIT_AT_MOST", 0.2)
    began = time.monotonic()
    found = snapshot(repository, [])
    assert "git" not in found
    assert time.monotonic() - began < 5


def test_whatever_hangs_is_named_and_the_rest_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(environment, "_packages", lambda: release.wait(60))
    monkeypatch.setattr(environment, "_gpus", lambda: release.wait(60))
    monkeypatch.setattr(environment, "_AT_MOST", 0.5)
    began = time.monotonic()
    found = snapshot(tmp_path, [])
    release.set()
    assert time.monotonic() - began < 5
    assert found["unfinished"] == ["gpus", "packages"]
    assert "packages" not in found
    assert found["memory_mb"] > 100


def test_the_longest_wait_stays_below_five_seconds() -> None:
    assert environment._AT_MOST < 5
    assert 2 * environment._GIT_AT_MOST < environment._AT_MOST


def test_gpus_are_told_by_name_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class NVMLError(Exception):
        pass

    def memory(handle: int) -> Any:
        if handle:
            raise NVMLError("not supported")
        return SimpleNamespace(total=80_000_000_000)

    nvml = SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda handle: (b"Old driver", "New driver")[handle],
        nvmlDeviceGetMemoryInfo=memory,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert snapshot(tmp_path, [])["gpus"] == [{"name": "Old driver", "memory_mb": 80000}, {"name": "New driver"}]


@pytest.mark.usefixtures("without_gpu")
def test_no_gpu_is_no_trouble(tmp_path: Path) -> None:
    assert "gpus" not in snapshot(tmp_path, [])


def test_only_listed_variables_are_told_and_credentials_in_them_and_in_the_command_line_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:hunter2@hub.example.org")
    monkeypatch.setenv("HF_TOKEN", "hunter2")
    monkeypatch.setenv("SOME_OTHER", "hunter2")
    found = snapshot(tmp_path, ["train.py", "--api-key", "hunter2"])
    assert found["variables"]["SLURM_JOB_ID"] == "42"
    assert found["variables"]["HF_ENDPOINT"] == f"https://me:{REDACTED}@hub.example.org"
    assert found["argv"] == ["train.py", "--api-key", REDACTED]
    assert "hunter2" not in json.dumps(found)
