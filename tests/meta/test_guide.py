"""Every block of the guide runs, in order; the Chinese guide has the same blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import DOCS, blocks, run_page


def test_every_block_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("TRACKHUB_RUNS_DIR")
    run_page(DOCS / "guide.md", folder)
    assert len(list((folder / "runs").glob("my-run_*/metrics.csv"))) == 1


def test_the_chinese_guide_has_the_same_blocks() -> None:
    assert blocks(DOCS / "guide.md") == blocks(DOCS / "zh" / "guide.md")
