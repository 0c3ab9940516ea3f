"""Run trials, append each result to a file, and show what there is: `python -m tests.torture [-n 100] [--seed 7]`.

A seed that is in the file already is not run again: so the runs can be continued. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import msgspec

NAMES = ["csv", "jsonl", "swanlab", "tensorboard", "mlflow", "wandb"]
HERE = Path(__file__).resolve().parent
sys.path += [str(HERE.parent / "e2e"), str(HERE.parent / "plugins"), str(HERE.parents[1])]


def main() -> int:
    """The command."""
    command = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    command.add_argument("-n", "--trials", type=int, default=20, help="how many seeds, from --first on")
    command.add_argument("--first", type=int, default=0, help="the first seed")
    command.add_argument("--seed", type=int, help="this one alone, again, with its folder kept")
    command.add_argument("--jobs", type=int, default=1, help="trials at once")
    command.add_argument("--results", type=Path, default=Path("torture.jsonl"), help="where results are appended")
    command.add_argument("--share", type=int, default=0, help=argparse.SUPPRESS)
    asked = command.parse_args()
    warnings.simplefilter("ignore")  # of the SDKs whose files are read
    if asked.seed is not None:
        print(trial(asked.seed, Path(tempfile.mkdtemp(prefix="torture-"))))
        return 0
    if asked.jobs > 1:
        shares = [
            [sys.executable, "-m", "tests.torture", *sys.argv[1:], "--jobs", "1", "--share", f"{n}"]
            for n in range(1, asked.jobs + 1)
        ]
        workers = [subprocess.Popen(share) for share in shares]
        for worker in workers:
            worker.wait()
        return summary(asked.results)
    done = {result["seed"] for result in results(asked.results)}
    for seed in range(asked.first, asked.first + asked.trials):
        mine = not asked.share or seed % 2 == asked.share % 2
        if mine and seed not in done:
            with tempfile.TemporaryDirectory(prefix="torture-", ignore_cleanup_errors=True) as folder:
                append(asked.results, trial(seed, Path(folder)))
    return 0 if asked.share else summary(asked.results)


def trial(seed: int, folder: Path) -> object:
    """One trial below `folder`."""
    from tests.torture.trial import Result, Trial

    one = Trial(seed, folder / "runs")
    try:
        return one.run()
    except Exception as error:
        return Result(seed, one.result.trackers, wrong=f"{type(error).__name__}: {error}")


def append(path: Path, result: object) -> None:
    """One line more."""
    with path.open("ab") as file:
        file.write(msgspec.json.encode(result) + b"\n")


def results(path: Path) -> list[dict[str, object]]:
    """What is there already."""
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def summary(path: Path) -> int:
    """A line for each kind of trial, and one for each finding."""
    found = results(path)
    print(f"{'trackers':34}{'trials':>8}{'kills':>8}{'points':>10}{'wrong':>7}")
    for kind in ("all six", *(f"with {name}" for name in NAMES)):
        some = [one for one in found if _is_of(kind, str(one["trackers"]).split(","))]
        kills, points = (sum(int(str(one[what])) for one in some) for what in ("kills", "points"))
        print(f"{kind:34}{len(some):8}{kills:8}{points:10}{sum(bool(one['wrong']) for one in some):7}")
    for one in found:
        if one["wrong"]:
            print(f"seed {one['seed']} ({one['trackers']}): {one['wrong']}")
    return 1 if any(one["wrong"] for one in found) else 0


def _is_of(kind: str, trackers: list[str]) -> bool:
    return len(trackers) == 6 if kind == "all six" else len(trackers) < 6 and kind.removeprefix("with ") in trackers


if __name__ == "__main__":
    sys.exit(main())
