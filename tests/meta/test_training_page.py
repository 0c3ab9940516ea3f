"""The commands on the page of training options run; the Chinese page has the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import DOCS, blocks, run_page
from trackhub_trainer.options import names
from trackhub_trainer.rates import SHAPES


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(DOCS / "training.md", tmp_path)
    assert list(tmp_path.iterdir()) == [], "a dry run writes nothing"


def test_the_chinese_page_has_the_same() -> None:
    assert blocks(DOCS / "training.md") == blocks(DOCS / "zh" / "training.md")


@pytest.mark.parametrize("page", [DOCS / "training.md", DOCS / "zh" / "training.md"])
def test_every_option_on_the_page_exists(page: Path) -> None:
    """And every schedule is on it."""
    text = page.read_text(encoding="utf-8")
    ours = [line for line in text.splitlines() if not line.startswith(("torchrun", "srun"))]
    assert set(re.findall(r"--[a-z][a-z0-9-]+", "\n".join(ours))) <= set(names())
    assert all(f"| `{shape}`" in text for shape in SHAPES)
