"""What the trainer costs, beside bare loops and the usual trainers on the same questions.

    python bench/trainer.py [--model tiny|PATH] [--dataset NAME --data-dir DIR] [--steps N] [--rounds N] [--only A,B]

Each variant is a process of its own on one thread, and the rounds are interleaved. Reported are medians over the
rounds: CPU seconds of a step (all steps but the first two), its ratio to the bare loop with the same batches and to
the one with dynamic padding in the same round, examples per CPU second, the peak of the resident memory, and for ours
the CPU of supervisor, couriers and the check of the trackers to their very end, and the share of a step that log calls
take. All import the same libraries, so that the peaks compare. Then checkpoints:
size and stall of ours beside Lightning's own, in one process, taken in turns.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FIRST = 2
"""Steps that are not counted: caches fill, memory is taken."""
SAVES = 7
NEEDS = {"HF Trainer": "accelerate", "trl SFTTrainer": "trl"}
Found = dict[str, float]


def variants() -> dict[str, Any]:
    import trainer_loops as loops

    return {
        "ours, everything on": loops.ours,
        "bare, same batches": loops.bare_same,
        "bare, padded": loops.bare,
        "bare, padded to 512": loops.original,
        "Lightning": loops.by_lightning,
        "HF Trainer": loops.by_hf,
        "trl SFTTrainer": loops.by_trl,
    }


NAMES = (
    *("ours, everything on", "bare, same batches", "bare, padded", "bare, padded to 512"),
    *("Lightning", "HF Trainer", "trl SFTTrainer"),
)


def job(options: argparse.Namespace, folder: Path) -> Any:
    """The training that all of them do."""
    from trackhub_trainer.preparing import prepare
    from trackhub_trainer.request import read

    where = ["--data-dir", options.data_dir] if options.data_dir else []
    settings = ["--batch-size", "8", "--save-steps", "0", "--eval-limit", "1", "--threads", "1", "--lr2", "1e-4"]
    trackers = ["--trackers", "csv,tensorboard", "--runs-dir", str(folder), "--finish-timeout", "60"]
    chosen = ["--base-model", options.model, "--dataset", options.dataset, "--max-steps", str(options.steps)]
    return prepare(read([*chosen, *where, *settings, *trackers, "--lr", "1e-4"]))


def child(options: argparse.Namespace, folder: Path) -> Found:
    """One training in this process."""
    from trainer_loops import Clock

    clock = Clock()
    told = variants()[options.child](job(options, folder), clock, folder) or {}
    steps = len(clock.cpu) - FIRST
    wall = clock.wall[-1] - clock.wall[FIRST - 1]
    found = {"step": (clock.cpu[-1] - clock.cpu[FIRST - 1]) / steps, "wall": wall / steps}
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    found["below"] = _cpu(resource.getrusage(resource.RUSAGE_CHILDREN))
    found["log"] = 100 * told.get("log", 0.0) / (wall / steps * len(clock.cpu))
    return found


def checkpoints(options: argparse.Namespace, folder: Path) -> Found:
    """Size (MB) and stall (s) of our checkpoints and of Lightning's default ones, after a step of each."""
    import lightning.pytorch as lightning
    import torch
    from trackhub_trainer.checkpoints import WholeFileIO
    from trackhub_trainer.loading import loader
    from trackhub_trainer.module import LoraModule
    from trainer_loops import Material, Plain, padded

    options.steps = 1
    it = Material(job(options, folder))
    plan, quiet = it.job.schedule, {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    same = {"max_steps": 1, "max_epochs": -1, "accelerator": "cpu", "enable_checkpointing": False, **quiet}
    ours, theirs = lightning.Trainer(plugins=[WholeFileIO()], **same), lightning.Trainer(**same)
    module = LoraModule(it.model, plan, it.job.config.weight_decay, lambda *_: None, {})
    ours.fit(module, loader(it.examples, plan, it.job.config.seed, "flat"))
    theirs.fit(Plain(it), torch.utils.data.DataLoader(list(it.steps()), batch_size=None, collate_fn=padded))
    stalls: dict[str, list[float]] = {"ours": [], "theirs": []}
    for number in range(SAVES):
        for name, trainer in (("ours", ours), ("theirs", theirs)):
            begin = time.perf_counter()
            trainer.save_checkpoint(folder / f"{name}-{number}.ckpt", weights_only=False)
            stalls[name].append(time.perf_counter() - begin)
    sizes = {f"{name} MB": (folder / f"{name}-0.ckpt").stat().st_size / 1e6 for name in stalls}
    return sizes | {f"{name} s": statistics.median(times[1:]) for name, times in stalls.items()}


def measure(name: str, arguments: list[str]) -> Found | None:
    """One training in a process of its own, and the CPU of all that it leaves behind; None if it failed."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # whatever is orphaned below becomes ours, and its CPU is told us
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [sys.executable, __file__, *arguments, "--child", name, "--folder", folder]
        environ = {**os.environ, "OMP_NUM_THREADS": "1", "TRACKHUB_LINGER": "60"}
        training = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ, cwd=folder)
        out, err = training.communicate()
        elsewhere = _reap()
    told = [line for line in out.splitlines() if line.startswith(b'{"')]
    if training.returncode or not told:
        print(f"{name} failed: {err.decode(errors='replace').strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    found: Found = json.loads(told[-1])
    return {**found, "elsewhere": elsewhere + found.get("below", 0.0)}


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


def _reap() -> float:
    """CPU seconds of the processes that are left, waited for to the last."""
    total = 0.0
    while True:
        try:
            _, _, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return total
        total += _cpu(usage)


def report(rounds: list[dict[str, Found]], names: list[str]) -> None:
    """A line for each variant; ratios are medians of those within a round."""
    head = ("CPU s/step", "x same", "x padded", "ex/CPU s", "peak MB", "log %", "CPU else s")
    print(f"{'':22}" + "".join(f"{one:>11}" for one in head))
    for name in names:
        mine = [one[name] for one in rounds if name in one]
        if mine:
            middle = {key: statistics.median(one[key] for one in mine) for key in mine[0]}
            ratios = [_ratio(rounds, name, base) for base in ("bare, same batches", "bare, padded")]
            numbers = (middle["step"], *ratios, 8 / middle["step"], middle["peak"], middle["log"], middle["elsewhere"])
            print(f"{name:22}" + "".join(f"{number:11.4g}" for number in numbers))


def _ratio(rounds: list[dict[str, Found]], name: str, base: str) -> float:
    both = [one[name]["step"] / one[base]["step"] for one in rounds if name in one and base in one]
    return statistics.median(both) if both else float("nan")


def main() -> None:
    """Measure interleaved, and print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--dataset", default="sample")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="names, separated by semicolons")
    for hidden in ("--child", "--folder"):
        parser.add_argument(hidden, default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        work = checkpoints if options.child == "checkpoints" else child
        print("\n" + json.dumps(work(options, Path(options.folder))), flush=True)
        return
    missing = [name for name, package in NEEDS.items() if importlib.util.find_spec(package) is None]
    names = [name for name in options.only.split(";") if name] or [name for name in NAMES if name not in missing]
    print(f"{options.steps} steps of 8 questions of {options.dataset}, {options.model}, {options.rounds} rounds")
    shared = ["--model", options.model, "--dataset", options.dataset, "--steps", str(options.steps)]
    shared += ["--data-dir", str(Path(options.data_dir).absolute())] if options.data_dir else []
    rounds = []
    for _ in range(options.rounds):
        one = {name: measure(name, shared) for name in names}
        rounds.append({name: found for name, found in one.items() if found is not None})
    report(rounds, names)
    if (saved := measure("checkpoints", shared)) is not None:
        size, stall = (saved[f"ours {unit}"] / saved[f"theirs {unit}"] for unit in ("MB", "s"))
        print(f"checkpoint: {saved['ours MB']:.1f} MB ({size:.3f} of Lightning's own), {saved['ours s']:.3f} s", end="")
        print(f" ({stall:.3f} of its stall of {saved['theirs s']:.3f} s)")
    for name in missing:
        print(f"not measured: {name} (no package {NEEDS[name]})")


if __name__ == "__main__":
    main()
