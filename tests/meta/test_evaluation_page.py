"""Every block of the page on data and evaluation runs, in order; the Chinese page has the same blocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import DOCS, blocks, rows, run_page
from trackhub_trainer.hub import HUB
from trackhub_trainer.tasks import TASKS


def test_every_block_of_the_page_on_evaluation_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRACKHUB_RUNS_DIR")
    run_page(DOCS / "evaluation.md", tmp_path, env={"OMP_NUM_THREADS": "1"})


def test_the_chinese_page_on_evaluation_has_the_same_blocks() -> None:
    assert blocks(DOCS / "evaluation.md") == blocks(DOCS / "zh" / "evaluation.md")


@pytest.mark.parametrize("page", ["trainer.md", "zh/trainer.md"])
def test_the_trainer_s_page_says_what_each_data_set_is_measured_on(page: str) -> None:
    heading = "## 使用真实的数据和真实的模型" if page.startswith("zh") else "## On real data, with a real model"
    measured = {name: row[3] for row in rows(DOCS / page, heading) for name in row[0].split(", ")}
    assert measured == {name: "test" if task.labelled_test else "validation" for name, task in TASKS.items()}
    assert set(HUB) == set(measured) - {"sample"}
