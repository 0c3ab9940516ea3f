"""What a tracker that is gone costs the training: the time of a step with a dead tracker, over that with none.

    python bench/outage.py

A step computes for about a millisecond and logs ten values. Trainings without a tracker, with an MLflow server that
refuses, and with one that takes requests and never answers run in a new order each round, each in its own process.
"again" is a second training without a tracker: its ratio is what the machine's other work makes of nothing at all,
and a ratio no further from 1 says nothing. Reported are medians over the rounds, and the range of wall time ratios.
"""

from __future__ import annotations

import json
import random
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

SECONDS = 10.0
ROUNDS = 6
ROW = {f"train/metric_{index}": index * 1.2345 for index in range(10)}


def steps(uri: str) -> dict[str, float]:
    """One training, measured: seconds a step, and microseconds of log calls."""
    import tempfile

    import psutil

    import trackhub

    trackers: Any = {"mlflow": {"tracking_uri": uri}} if uri else "none"
    with tempfile.TemporaryDirectory() as folder:
        run = trackhub.start(trackers=trackers, runs_dir=folder, finish_timeout=0)
        time.sleep(8)  # how a run starts is what start_up.py measures
        others = psutil.Process().children(recursive=True)
        used = [sum(one.cpu_times()[:2]) for one in others]
        calls, step = [], 0
        wall, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - wall < SECONDS:
            sum(range(60_000))
            begin = time.perf_counter()
            run.log_metrics(ROW, step=step)
            calls.append(time.perf_counter() - begin)
            step += 1
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        spent = [sum(one.cpu_times()[:2]) for one in others if one.is_running()]
        run.finish()
    return {
        "cpu": cpu / step,
        "wall": wall / step,
        "longest": max(calls) * 1e6,
        "median": statistics.median(calls) * 1e6,
        "beside": (sum(spent) - sum(used)) / wall,
    }


def measured(uri: str) -> dict[str, float]:
    """`steps` in a process of its own."""
    done = subprocess.run([sys.executable, __file__, uri or "none"], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure interleaved, and print medians and ratios."""
    with socket.socket() as deaf:  # takes connections, and never answers
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(100)
        uris = {
            "none": "",
            "again": "",
            "refuses": "http://127.0.0.1:9",
            "hangs": f"http://127.0.0.1:{deaf.getsockname()[1]}",
        }
        rounds = [{name: measured(uris[name]) for name in random.sample(list(uris), len(uris))} for _ in range(ROUNDS)]
    for name in uris:
        middle = {key: statistics.median(one[name][key] for one in rounds) for key in rounds[0][name]}
        walls = sorted(one[name]["wall"] / one["none"]["wall"] for one in rounds)
        cpu = statistics.median(one[name]["cpu"] / one["none"]["cpu"] for one in rounds)
        print(
            f"{name:8} CPU {middle['cpu'] * 1e6:.0f} µs a step (ratio {cpu:.3f}), "
            f"wall {middle['wall'] * 1e6:.0f} µs "
            f"(ratio {statistics.median(walls):.3f}: {walls[0]:.2f} to {walls[-1]:.2f}), "
            f"log call {middle['median']:.1f} µs (longest {middle['longest']:.0f}), "
            f"beside it {middle['beside']:.1%} of a CPU"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(steps("" if sys.argv[1] == "none" else sys.argv[1])))
    else:
        main()
