"""How the tests of pages run what stands on them.

A python block whose first line is a comment with a path (``# train.py``) is that file; ``# train.py, continued`` goes
on with it. Any other python block runs here. In a console block each line behind ``$`` is run by the shell; the lines
that follow it must be found in its output, in order, where ``...`` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.py)(, continued)?\n")
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def blocks(page: Path) -> list[tuple[str, str]]:
    """(python or console, text) of every block that is run."""
    return BLOCK.findall(page.read_text(encoding="utf-8"))


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head; "\\|" in a cell is "|"."""
    _, _, section = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    lines = re.search(r"^\|.*?(?=\n[^|]|\Z)", section.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
    assert lines is not None, f"{page} has no table under {heading!r}"
    cells = [re.split(r"(?<!\\)\|", line.strip("| ")) for line in lines[0].splitlines()[2:]]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def run_page(
    page: Path,
    folder: Path,
    bin_folder: Path | None = None,
    alter: Callable[[str], str] = str,
    env: Mapping[str, str] | None = None,
) -> dict[str, object]:
    """Run every block of a page, in order, in `folder`; returns the names that its python blocks left.

    Args:
        page: the page.
        folder: the working folder of its commands; the caller has made it this process's own, too.
        bin_folder: where its commands are looked for first; by default where this Python lies.
        alter: changes the text of each block, e.g. a port that may be taken.
        env: more environment for its commands.
    """
    names: dict[str, object] = {}
    for kind, block in blocks(page):
        text = alter(block)
        if kind == "console":
            run_console(text, folder, bin_folder, env)
        elif file := FILE.match(text):
            write(folder / file[1], text, onward=bool(file[2]))
        else:
            exec(compile(text, page.name, "exec", dont_inherit=True), names)
    return names


def write(path: Path, text: str, onward: bool) -> None:
    """A block that is a file, or the next part of one, behind a blank line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if onward:
        text = path.read_text(encoding="utf-8") + "\n" + text.partition("\n")[2]
    path.write_text(text, encoding="utf-8")


def run_console(block: str, folder: Path, bin_folder: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Each line that begins with a prompt, by the shell, with this environment's commands first."""
    path = f"{bin_folder or Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for line, wanted in COMMAND.findall(block):
        done = subprocess.run(
            line,
            shell=True,
            cwd=folder,
            env={**os.environ, **(env or {}), "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        assert_shown(wanted, done.stdout + done.stderr, line)


def assert_shown(wanted: str, output: str, command: str) -> None:
    """The wanted lines are in the output, in order; blanks count as one."""
    shown = iter([" ".join(line.split()) for line in output.splitlines()])
    for line in filter(None, (" ".join(line.split()) for line in wanted.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, line.split("..."))))
        assert any(pattern.fullmatch(found) for found in shown), f"{command}\nshows no {line!r}:\n{output}"
