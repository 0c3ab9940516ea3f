"""What one `run.log_metrics` of 10 floats costs, beside its floor, and beside the same call done by hand.

    python bench/log_call.py

The floor is "msgspec encode + os.write" of the same row to a file beside the journal. All variants run interleaved in
one process, several rounds; reported are the medians over the rounds of each round's p50 and p99, and the ratio.
Couriers are idle: the trackers are started, and the rows are delivered after the measuring.
"""

from __future__ import annotations

import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

import trackhub
from trackhub.events import Metrics

ROUNDS = 7
CALLS = 2_000
ROW = {f"train/metric_{index}": index * 1.2345 for index in range(10)}


def floor(folder: Path) -> Callable[[int], None]:
    """The least that can be done: one encode, one write."""
    descriptor = os.open(folder / "floor.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    encode = msgspec.json.Encoder().encode

    def call(step: int) -> None:
        os.write(descriptor, encode(Metrics(step, 1.5, step, ROW)) + b"\n")

    return call


def by_trackhub(trackers: str, folder: Path) -> tuple[trackhub.Run, Callable[[int], None]]:
    """trackhub with these trackers."""
    run = trackhub.start(trackers=trackers, runs_dir=folder, name=trackers.replace(",", "-"), finish_timeout=0)

    def call(step: int) -> None:
        run.log_metrics(ROW, step=step)

    return run, call


def by_hand(folder: Path) -> Callable[[int], None]:
    """csv and SwanLab called in the loop, as one writes it by hand."""
    import swanlab

    file = (folder / "by_hand.csv").open("w", newline="")
    writer = csv.writer(file)
    writer.writerow(["step", *ROW])
    sys.stdout.flush()
    run = swanlab.init(mode="offline", project="bench", log_dir=str(folder / "swanlab"))

    def call(step: int) -> None:
        writer.writerow([step, *ROW.values()])
        file.flush()
        run.log(ROW, step=step)

    return call


def measure(call: Callable[[int], None], first: int) -> tuple[float, float]:
    """(p50, p99) of one call in microseconds."""
    times = []
    for step in range(first, first + CALLS):
        begin = time.perf_counter_ns()
        call(step)
        times.append(time.perf_counter_ns() - begin)
    times.sort()
    return times[len(times) // 2] / 1e3, times[len(times) * 99 // 100] / 1e3


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs = [by_trackhub(names, folder) for names in ("none", "csv", "csv,jsonl,swanlab")]
        calls = {"floor: encode + write": floor(folder)}
        calls |= {f"trackhub, {','.join(run.trackers) or 'no'} tracker": call for run, call in runs}
        calls["by hand: csv + swanlab in the loop"] = by_hand(folder)
        time.sleep(5)
        rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        for number in range(ROUNDS + 1):
            for name, call in calls.items():
                time.sleep(0.5)  # what the one before left to its threads is not this one's cost
                measured = measure(call, number * CALLS)
                if number:
                    rounds[name].append(measured)
        report(rounds)
        for run, _ in runs:
            run.finish(timeout=30)


def report(rounds: dict[str, list[tuple[float, float]]]) -> None:
    """A line per variant: p50, p99, and the median over the rounds of p50 / the floor's p50 in that round."""
    base = rounds["floor: encode + write"]
    print(f"{'one call with 10 floats':42}{'p50 us':>9}{'p99 us':>9}{'x floor':>9}")
    for name, values in rounds.items():
        p50, p99 = (statistics.median(column) for column in zip(*values, strict=True))
        ratio = statistics.median(value[0] / least[0] for value, least in zip(values, base, strict=True))
        print(f"{name:42}{p50:9.2f}{p99:9.2f}{ratio:9.2f}")


if __name__ == "__main__":
    main()
