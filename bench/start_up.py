"""What importing and starting cost, as ratios within one run.

    python bench/start_up.py

`import trackhub` and `trackhub --help` beside `python -c 'import msgspec, pluggy'`, as CPU time of whole processes,
interleaved; `trackhub.start` beside one bare `subprocess.Popen`, in this process.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROUNDS = 15
COMMANDS = {
    "import msgspec, pluggy": [sys.executable, "-c", "import msgspec, pluggy"],
    "import trackhub": [sys.executable, "-c", "import trackhub"],
    "trackhub --help": [sys.executable, "-m", "trackhub", "--help"],
}


def cpu_seconds(command: list[str]) -> float:
    """CPU time of one whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processes() -> None:
    """Whole processes, each against the bare import of the two libraries in the same round."""
    rounds = [{name: cpu_seconds(command) for name, command in COMMANDS.items()} for _ in range(ROUNDS + 1)][1:]
    base = next(iter(COMMANDS))
    print(f"{'whole process, CPU':34}{'ms':>8}{'x bare':>8}")
    for name in COMMANDS:
        median = statistics.median(one[name] for one in rounds) * 1e3
        ratio = statistics.median(one[name] / one[base] for one in rounds)
        print(f"{name:34}{median:8.1f}{ratio:8.2f}")


def timed(call: Callable[[], object]) -> tuple[float, object]:
    """(milliseconds, result) of one call."""
    begin = time.perf_counter()
    result = call()
    return (time.perf_counter() - begin) * 1e3, result


def starts() -> None:
    """`trackhub.start` and a bare `Popen`, interleaved."""
    import trackhub

    popens, begun = [], []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        for _ in range(ROUNDS):
            took, process = timed(lambda: subprocess.Popen([sys.executable, "-S", "-c", ""]))
            popens.append(took)
            process.wait()
            took, run = timed(lambda: trackhub.start(trackers="csv", runs_dir=folder, delivery="later"))
            begun.append(took)
            run.finish()
    print(f"{'wall time in this process':34}{'median ms':>10}{'first ms':>10}")
    print(f"{'one bare subprocess.Popen':34}{statistics.median(popens):10.1f}{popens[0]:10.1f}")
    print(f"{'trackhub.start':34}{statistics.median(begun):10.1f}{begun[0]:10.1f}")


if __name__ == "__main__":
    os.environ["TRACKHUB_LINGER"] = "0"
    processes()
    starts()
