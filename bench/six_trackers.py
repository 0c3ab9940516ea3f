"""One training with six trackers: by trackhub, by hand in the loop, by Lightning's loggers, by Accelerate's trackers.

    python bench/six_trackers.py [STEPS]

Each variant is a process of its own that logs 10 numbers at each of STEPS (2,000) steps of 5 ms of computing, to csv,
jsonl, SwanLab, TensorBoard, MLflow (sqlite) and W&B (offline). Lightning's loggers know no jsonl, Accelerate's neither
csv nor jsonl. Reported are the seconds until the first step, the time of one log call (median and 99th percentile),
what all log calls cost, the seconds that the end takes, and the CPU of everything beyond the computing itself: in the
training's process, and in all others, to the very end of the delivery.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STEPS = 2_000
COMPUTING = 0.005
"""Seconds of CPU that a step computes."""
ROW = {f"train/metric_{index}": index * 1.2345 for index in range(10)}
Logging = tuple[Callable[[dict[str, float], int], None], Callable[[], None]]
"""(log a row at a step, end the run)."""


def by_trackhub(folder: Path) -> Logging:
    """The one line that a user writes."""
    import trackhub

    trackers = "csv,jsonl,swanlab,tensorboard,mlflow,wandb"
    run = trackhub.start(trackers=trackers, runs_dir=folder, config={"lr": 0.1}, finish_timeout=60)
    return run.log_metrics, run.finish


def by_hand(folder: Path) -> Logging:
    """The SDKs in the loop, as their guides show them."""
    import csv

    import mlflow
    import swanlab
    import wandb
    from torch.utils.tensorboard import SummaryWriter

    table = (folder / "metrics.csv").open("w", newline="")
    writer = csv.DictWriter(table, ["step", *ROW])
    writer.writeheader()
    lines = (folder / "metrics.jsonl").open("w")
    board = SummaryWriter(str(folder / "tensorboard"))
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("bench")
    mlflow.start_run()
    mlflow.log_params({"lr": 0.1})
    swanlab.init(mode="offline", project="bench", log_dir=str(folder / "swanlab"), config={"lr": 0.1})
    wandb.init(mode="offline", project="bench", dir=str(folder), config={"lr": 0.1})

    def log(row: dict[str, float], step: int) -> None:
        writer.writerow({"step": step, **row})
        lines.write(json.dumps({"step": step, **row}) + "\n")
        for key, value in row.items():
            board.add_scalar(key, value, step)
        mlflow.log_metrics(row, step=step)
        swanlab.log(row, step=step)
        wandb.log(row, step=step)

    def end() -> None:
        table.close()
        lines.close()
        board.close()
        mlflow.end_run()
        swanlab.finish()
        wandb.finish()

    return log, end


def by_lightning(folder: Path) -> Logging:
    """Lightning's loggers, called as its Trainer calls them: each one, and `save` after it."""
    from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger, WandbLogger
    from swanlab.integration.pytorch_lightning import SwanLabLogger

    where = str(folder)
    loggers: list[Any] = [
        CSVLogger(where),
        TensorBoardLogger(where),
        MLFlowLogger("bench", tracking_uri=f"sqlite:///{folder}/mlflow.db"),
        WandbLogger(project="bench", save_dir=where, offline=True),
        SwanLabLogger(project="bench", mode="offline", log_dir=str(folder / "swanlab")),
    ]
    for logger in loggers:
        logger.log_hyperparams({"lr": 0.1})

    def log(row: dict[str, float], step: int) -> None:
        for logger in loggers:
            logger.log_metrics(row, step)
            logger.save()

    def end() -> None:
        for logger in loggers:
            logger.finalize("success")

    return log, end


def by_accelerate(folder: Path) -> Logging:
    """Accelerate's trackers."""
    from accelerate import Accelerator

    os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "SWANLAB_MODE": "offline"}
    os.environ |= {"SWANLAB_LOG_DIR": str(folder / "swanlab"), "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
    accelerator = Accelerator(cpu=True, log_with=["tensorboard", "mlflow", "wandb", "swanlab"], project_dir=str(folder))
    accelerator.init_trackers("bench", config={"lr": 0.1})
    return lambda row, step: accelerator.log(row, step=step), accelerator.end_training


VARIANTS = {"trackhub": by_trackhub, "by hand": by_hand, "Lightning": by_lightning, "Accelerate": by_accelerate}


def compute() -> float:
    """One step's work; returns the CPU seconds that it took."""
    begin = time.thread_time()
    while time.thread_time() - begin < COMPUTING:
        sum(range(500))
    return time.thread_time() - begin


def train(variant: str, steps: int, folder: Path) -> dict[str, float]:
    """One training in this process."""
    begin = time.perf_counter()
    log, end = VARIANTS[variant](folder)
    started = time.perf_counter()
    calls, computed, others = [], 0.0, time.process_time() - time.thread_time()
    for step in range(steps):
        computed += compute()
        before = time.perf_counter_ns()
        log(ROW, step)
        calls.append((time.perf_counter_ns() - before) / 1e3)
    others = time.process_time() - time.thread_time() - others
    ending = time.perf_counter()
    end()
    calls.sort()
    return {
        "start": started - begin,
        "p50": statistics.median(calls),
        "p99": calls[len(calls) * 99 // 100],
        "calls": sum(calls) / 1e6,
        "end": time.perf_counter() - ending,
        "computed": computed,
        "threads": others,
        "process": time.process_time(),
    }


def measure(variant: str, steps: int) -> dict[str, float]:
    """One training in a process of its own, and the CPU of every process that it left or started."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # whatever is orphaned below becomes ours, and its CPU is told us
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, __file__, str(steps), variant, folder]
        training = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder)
        assert training.stdout is not None
        told = training.stdout.read().splitlines()
        total = _reap()
        training.returncode = 0
    (line,) = (line for line in told if line.startswith(b'{"start":'))  # an SDK may say goodbye behind it
    found: dict[str, float] = json.loads(line)
    found["elsewhere"] = total - found["process"]
    return found


def _reap() -> float:
    """CPU seconds of all children, waited for to the last."""
    total = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += usage.ru_utime + usage.ru_stime


def main() -> None:
    """Measure each variant, and print a line each."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    if len(sys.argv) > 2:
        found = train(sys.argv[2], steps, Path(sys.argv[3]))
        found["process"] = time.process_time()
        print("\n" + json.dumps(found), flush=True)
        return
    print(f"{steps} steps of {COMPUTING * 1e3:g} ms, 10 numbers each, six trackers")
    head = ("start s", "call us", "p99 us", "calls s", "% of step", "end s", "CPU here", "CPU else", "CPU s")
    print(f"{'':12}" + "".join(f"{one:>10}" for one in head))
    for variant in VARIANTS:
        one = measure(variant, steps)
        here = one["process"] - one["computed"]
        share = 100 * (one["calls"] + one["threads"]) / (steps * COMPUTING)
        numbers = (one["start"], one["p50"], one["p99"], one["calls"], share, one["end"], here, one["elsewhere"])
        print(
            f"{variant:12}" + "".join(f"{number:10.2f}" for number in (*numbers, here + one["elsewhere"])), flush=True
        )


if __name__ == "__main__":
    main()
