"""W&B and SwanLab live, with a key, and nobody at their address: the run is unharmed, and goes into files instead."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

import trackhub

pytestmark = pytest.mark.alone

KEYS = {"wandb": "0123456789abcdefkkkk0123456789abcdefkkkk", "swanlab": "PlantedSwanLabKey0000"}
VARIABLES = {"wandb": "WANDB_API_KEY", "swanlab": "SWANLAB_API_KEY"}
OPTIONS = {"wandb": {"host": "http://127.0.0.1:9"}, "swanlab": {"mode": "cloud", "host": "http://127.0.0.1:9"}}
UPLOADS = {"wandb": "wandb sync", "swanlab": "swanlab sync"}
ROWS = 300


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "trackhub", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("name", [pytest.param("wandb", marks=pytest.mark.torture), "swanlab"])
def test_a_cloud_out_of_reach_harms_nothing_and_says_how_to_go_on(
    name: str, tmp_path: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLES[name], KEYS[name])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run = trackhub.start(trackers={name: OPTIONS[name], "jsonl": {}}, config={"lr": 0.1}, name="away", finish_timeout=5)
    begin = time.monotonic()
    for step in range(ROWS):
        run.log_metrics({"a": step / 7, "b": float(step)}, step=step)
    assert time.monotonic() - begin < 2
    until = time.monotonic() + 100
    while "mode=offline" not in (receipt := run.receipts()[0]).reason and time.monotonic() < until:
        time.sleep(0.3)
    assert receipt.state == "backing off"
    assert "127.0.0.1:9" in receipt.reason
    begin = time.monotonic()
    run.finish()
    assert time.monotonic() - begin < 5 + 1.5
    assert run.receipts()[1].complete

    told = re.search(r"trackhub (sync \S+ --tracker-opt \S+)", receipt.reason)
    assert told is not None
    done = command(*shlex.split(told[1]))
    assert done.returncode == 0, done.stdout + done.stderr
    verified = command("status", run.name, "--verify", "--json", "--tracker-opt", f"{name}.mode=offline")
    assert verified.returncode == 0, verified.stdout
    found = {one["tracker"]: one for one in json.loads(verified.stdout)["verified"]}
    assert (found[name]["expected"], found[name]["found"], found[name]["different"]) == (2 * ROWS, 2 * ROWS, 0)
    held = [path for path in tmp_path.rglob("*") if path.is_file() and KEYS[name].encode() in path.read_bytes()]
    assert held == []


@pytest.mark.parametrize("page", ["delivery.md", "zh/delivery.md"])
@pytest.mark.parametrize("name", ["wandb", "swanlab"])
def test_the_page_names_both_commands(name: str, page: str) -> None:
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    assert f"--tracker-opt {name}.mode=offline" in text
    assert UPLOADS[name] in text
