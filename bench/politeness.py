"""How much of one CPU a busy training loop keeps while its couriers are busy too.

    python bench/politeness.py

Loop, supervisor and couriers are all bound to one CPU. The loop logs a row and then computes; its own CPU time over
wall time is its share. The rows come fast enough to keep three couriers busy.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

SECONDS = 10.0
ROUNDS = 3
TRACKERS = "csv,jsonl,swanlab"


def share(trackers: str) -> float:
    """CPU time over wall time of a busy loop with these trackers."""
    command = [sys.executable, __file__, trackers]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def loop(trackers: str) -> float:
    """The busy loop itself: thousands of rows a second, and computing."""
    import tempfile

    import trackhub

    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as folder:
        run = trackhub.start(trackers=trackers, runs_dir=folder, finish_timeout=60)
        time.sleep(3)
        wall, cpu = time.perf_counter(), time.process_time()
        step = 0
        while time.perf_counter() - wall < SECONDS:
            run.log_metrics({"a": step * 0.5, "b": step}, step=step)
            sum(range(2_000))
            step += 1
        kept = (time.process_time() - cpu) / (time.perf_counter() - wall)
        run.finish()
    return kept


def main() -> None:
    """Measure with and without couriers, interleaved, and print the shares."""
    rounds = [(share("none"), share(TRACKERS)) for _ in range(ROUNDS)]
    alone, beside = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"share of one CPU that the loop keeps: {alone:.3f} alone, {beside:.3f} beside busy couriers ({TRACKERS})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(loop(sys.argv[1]))
    else:
        main()
