"""Several ranks, one run: joined by inheritance and by the meeting file, as torchrun starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trackhub.journal import read
from trackhub.layout import all_runs
from trackhub.testing import recorded

pytestmark = [pytest.mark.alone, pytest.mark.usefixtures("test_trackers")]

RANK = """
import sys, time, trackhub
time.sleep(float(sys.argv[1]))
run = trackhub.start(trackers="rec", name="ranks")
for step in range(20):
    run.log_metrics({"loss": step}, step=step)
time.sleep(float(sys.argv[2]))
run.finish()
"""


def start_rank(rank: int, before: float, after: float) -> subprocess.Popen[bytes]:
    job = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_PORT": "29511", "TORCHELASTIC_RUN_ID": "none"}
    return subprocess.Popen([sys.executable, "-c", RANK, str(before), str(after)], env={**os.environ, **job})


def test_ranks_that_begin_at_once_log_to_one_run(runs: Path) -> None:
    one, zero = start_rank(1, 0, 0), start_rank(0, 0.5, 4)
    assert (one.wait(60), zero.wait(60)) == (0, 0)
    (folder,) = all_runs(runs)
    assert {path.name for path in folder.journal.glob("rank-*")} == {"rank-0.jsonl", "rank-1.jsonl"}
    assert sum(type(event).__name__ == "Metrics" for event in read(folder)) == 40
    rows = [row["metrics"] for row in recorded(folder.path / "recording.jsonl", "log_metrics")]
    assert [row["loss"] for row in rows if "loss" in row] == list(range(20))
    assert [row["rank-1/loss"] for row in rows if "rank-1/loss" in row] == list(range(20))


def test_a_meeting_file_of_an_earlier_job_is_not_taken_for_this_one(runs: Path) -> None:
    for _ in range(2):
        one, zero = start_rank(1, 0, 0), start_rank(0, 1.5, 2)
        assert (one.wait(60), zero.wait(60)) == (0, 0)
    assert [len(list(folder.journal.glob("rank-1.jsonl"))) for folder in all_runs(runs)] == [1, 1]
