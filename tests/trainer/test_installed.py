"""An install without the packages that training needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from trackhub_trainer import installed

WITHOUT = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "lightning", "peft"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

import importlib.util
plain = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ("torch", "lightning", "peft") else plain(name)
sys.meta_path.insert(0, Missing())
from trackhub_trainer.cli import main
main(sys.argv[1:])
"""


def test_what_is_missing_is_said_with_the_command_that_mends_it(tmp_path: Path) -> None:
    """Exit code 2, one line, nothing written; along with what else is wrong on the command line."""
    command = [sys.executable, "-c", WITHOUT, "--max-steps", "0"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "--max-steps 0" in done.stderr
    assert "torch, lightning, peft are not installed" in done.stderr
    assert "pip install 'trackhub-ml[trainer]'" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_missing_here_and_a_gguf_needs_its_package() -> None:
    assert installed.problems() == []
    assert installed.problems("model.gguf") == []
