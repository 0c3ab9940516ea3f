"""The pages for authors of plugins: every block runs, in order, in an empty folder; the Chinese ones have the same."""

from __future__ import annotations

import inspect
import re
import socket
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import get_args

import pytest
from pages import DOCS, blocks, run_page

from trackhub import testing
from trackhub.testing import Carried, SomeJournal, TrackerConformance, faulty
from trackhub.testing.faults import Fault

PAGES = ["plugin.md", "testing.md", "porting.md", "hooks.md"]
WITHOUT_INDEX = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""pip builds with the setuptools that is here; the odd zero is how pip spells it."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with a shell like a user's."""
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("TRACKHUB_RUNS_DIR", "TRACKHUB_STRICT", "TRACKHUB_LINGER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """The commands of a fresh environment that sees what this one has: what is installed there stays there."""
    base = tmp_path / "venv"
    venv.create(base, with_pip=False)
    bin_folder = base / ("Scripts" if sys.platform == "win32" else "bin")
    site = Path(sysconfig.get_path("purelib", vars={"base": str(base), "platbase": str(base)}))
    (site / "beside.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    for name in ("pip", "pytest", "trackhub"):
        command = bin_folder / name
        command.write_text(f'#!/bin/sh\nexec {bin_folder / "python"} -P -m {name} "$@"\n')
        command.chmod(0o755)
    return bin_folder


def free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.timeout(900)
def test_the_tutorial_runs_from_its_first_block_to_its_last(folder: Path, stranger: Path) -> None:
    port = free_port()
    try:
        names = run_page(
            DOCS / "plugin.md", folder, stranger, lambda text: text.replace("8765", port), env=WITHOUT_INDEX
        )
    finally:
        subprocess.run(["sh", "-c", "kill $(cat house.pid) 2>/dev/null"], cwd=folder, check=False)
    assert names["live"].rows == [(0, 1.0), (1, 0.5), (2, 1 / 3)]  # type: ignore[attr-defined]


@pytest.mark.timeout(600)
def test_the_page_of_the_kit_runs(folder: Path, stranger: Path) -> None:
    run_page(DOCS / "testing.md", folder, stranger)


@pytest.mark.timeout(600)
def test_an_old_logger_and_its_port_store_the_same(folder: Path) -> None:
    run_page(DOCS / "porting.md", folder)


@pytest.mark.parametrize("page", ["testing.md", "zh/testing.md"])
def test_every_test_of_the_kit_is_told_of_in_its_order(page: str) -> None:
    tests = [name for part in TrackerConformance.__bases__ for name in vars(part) if name.startswith("test_")]
    text = (DOCS / page).read_text(encoding="utf-8")
    assert re.findall(r"^\| `(test_\w+)` \|", text, re.MULTILINE) == tests


@pytest.mark.parametrize("page", ["testing.md", "zh/testing.md"])
def test_every_helper_and_every_fault_is_told_of(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    methods = [name for of in (Carried, SomeJournal) for name in vars(of) if not name.startswith("_")]
    arguments = inspect.signature(faulty).parameters
    wanted = [*testing.__all__, *get_args(Fault), *methods, *arguments]
    assert [name for name in wanted if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_chinese_page_has_the_same_blocks(page: str) -> None:
    assert blocks(DOCS / page) == blocks(DOCS / "zh" / page)
