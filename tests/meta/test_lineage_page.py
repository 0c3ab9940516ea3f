"""Every block of the page on lineage runs, in order; the Chinese page has the same blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import DOCS, blocks, run_page


def test_every_block_of_the_page_on_lineage_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKHUB_RUNS_DIR")
    run_page(DOCS / "lineage.md", tmp_path)
    assert len((tmp_path / "pairs.jsonl").read_text().splitlines()) == 3


def test_the_chinese_page_on_lineage_has_the_same_blocks() -> None:
    assert blocks(DOCS / "lineage.md") == blocks(DOCS / "zh" / "lineage.md")
