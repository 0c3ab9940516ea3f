"""What `--track-batches` costs a training step: CPU time of the training's thread, and its share of a step of 5 ms.

    python bench/track_batches.py

For batches of several sizes: the callback as the trainer calls it after each step, which computes the step's lines from
the order, logs them to the journal of a real run, and writes a line of the traditional file. Beside it, the part that
is the journal's. Reported are the medians over the rounds; the shuffles of new epochs are in them.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from trackhub_trainer import preparing, request
from trackhub_trainer.tracking import TrackBatches

import trackhub

ROUNDS = 9
STEPS = 2_000
SIZES = (8, 32)
STEP = 5e-3
"""Seconds of the short step that the share is told of."""


def thread_time(call: Callable[[int], None], first: int) -> float:
    """CPU seconds of a call, the mean of a round."""
    began = time.thread_time()
    for step in range(first, first + STEPS):
        call(step)
    return (time.thread_time() - began) / STEPS


def measured(size: int, folder: Path) -> tuple[float, float]:
    """(seconds a step of the whole callback, of its journal part)."""
    job = preparing.prepare(request.read(["--batch-size", str(size), "--trackers", "none"]))
    run = trackhub.start(trackers="none", delivery="later", runs_dir=folder, finish_timeout=0)
    callback = TrackBatches(run, job)
    trainer: Any = SimpleNamespace(global_step=0, global_rank=0, world_size=1, is_global_zero=True)
    callback.on_train_start(trainer, None)

    def whole(step: int) -> None:
        trainer.global_step = step
        callback.on_train_batch_end(trainer)

    lines = list(range(size))
    wholes, parts = [], []
    for number in range(ROUNDS):
        wholes.append(thread_time(whole, 1 + number * STEPS))
        parts.append(thread_time(lambda step: run.log_batch(lines, step, 0, "sample"), 1 + number * STEPS))
    run.finish()
    return statistics.median(wholes), statistics.median(parts)


def main() -> None:
    """Measure, and print."""
    print("questions  whole, µs  of a 5 ms step  log_batch alone, µs")
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            whole, part = measured(size, Path(folder))
            print(f"{size:9d}  {whole * 1e6:9.1f}  {whole / STEP:14.2%}  {part * 1e6:19.1f}")


if __name__ == "__main__":
    main()
