"""Every block of the guide runs, in order; the Chinese guide has the same blocks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def run_console(block: str, folder: Path) -> None:
    """Each line that begins with a prompt, by the shell, with this environment's commands first."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line in block.splitlines():
        if line.startswith("$ "):
            done = subprocess.run(
                line[2:],
                shell=True,
                cwd=folder,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def test_every_block_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("TRACKHUB_RUNS_DIR")
    names: dict[str, object] = {}
    for kind, block in blocks(DOCS / "guide.md"):
        if kind == "python":
            exec(compile(block, "guide.md", "exec"), names)
        else:
            run_console(block, folder)
    assert len(list((folder / "runs").glob("my-run_*/metrics.csv"))) == 1


def test_the_chinese_guide_has_the_same_blocks() -> None:
    assert blocks(DOCS / "guide.md") == blocks(DOCS / "zh" / "guide.md")
