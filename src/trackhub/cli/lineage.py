"""`trackhub lineage RUN`: which line of the data went into which step and checkpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from trackhub.cli.common import add_json, add_runs_dir, print_json

if TYPE_CHECKING:
    from trackhub.lineage.law import Law
    from trackhub.lineage.reading import Lineage


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    command.add_argument("run", metavar="RUN", help="a run folder, or a name under the runs folder")
    asked = command.add_mutually_exclusive_group()
    asked.add_argument(
        "--line", type=int, metavar="N", help="the steps and checkpoints that saw line N (the first is 0)"
    )
    asked.add_argument("--checkpoint", metavar="STEP", help="the lines that a checkpoint has seen, by its step or file")
    asked.add_argument(
        "--export", metavar="FILE", help="write each checkpoint with its lines, as JSON lines; a new file"
    )
    asked.add_argument("--verify", action="store_true", help="compute the order again; exit 1 if the journal differs")
    command.add_argument("--dataset", metavar="NAME", help="which data, where the run used several")
    add_runs_dir(command)
    add_json(command)


def run(arguments: argparse.Namespace) -> int:
    """Answer what was asked; without an option, show each checkpoint with its counts."""
    from trackhub.layout import find_run
    from trackhub.lineage import law, reading

    folder = find_run(arguments.run, arguments.runs_dir)
    lineage, known = reading.read(folder, arguments.dataset), law.of_run(folder)
    _tell_losses(lineage)
    if arguments.verify:
        return _verify(lineage, known, arguments.json)
    if arguments.line is not None:
        _line(lineage, known, arguments.line, arguments.json)
    elif arguments.checkpoint is not None:
        _checkpoint(lineage, arguments.checkpoint, arguments.json)
    elif arguments.export is not None:
        _export(lineage, known, Path(arguments.export), arguments.json)
    else:
        _summary(lineage, arguments.json)
    return 0


def _tell_losses(lineage: Lineage) -> None:
    for loss in lineage.losses:
        print(f"trackhub lineage: {loss}", file=sys.stderr)


def _line(lineage: Lineage, law: Law | None, line: int, as_json: bool) -> None:
    from trackhub.errors import ConfigError
    from trackhub.showing.console import console, table
    from trackhub.showing.words import counted

    if law and line not in law.questions:
        raise ConfigError(f"line {line} was not trained on: these were, counted from 0: {law.lines}")
    found = lineage.uses(line)
    if as_json:
        print_json(found)
        return
    console.print(f"line {line} (the first line is 0): used {counted(len(found), 'time')}", highlight=False)
    shown = table("step", "epoch", "rank", "checkpoints", numbers=("step", "epoch", "rank"))
    for one in found:
        shown.add_row(str(one.step), str(one.epoch), str(one.rank), _ends(one.checkpoints))
    if found:
        console.print(shown)


def _ends(steps: list[int]) -> str:
    """Steps of checkpoints in a cell."""
    from trackhub.lineage.law import spans

    return f"{spans(steps)} ({len(steps)})" if steps else "none"


def _checkpoint(lineage: Lineage, wanted: str, as_json: bool) -> None:
    from trackhub.lineage.law import spans
    from trackhub.showing.console import console

    step, before = _chosen(lineage, wanted)
    file, seen = str(lineage.file(step)), lineage.seen(step)
    new = sorted(seen - lineage.seen(before))
    if as_json:
        print_json({"checkpoint": step, "file": file, "before": before, "lines": sorted(seen), "new": new})
        return
    since = f"checkpoint {before}" if before else "the beginning"
    for words in (
        f"checkpoint {step}: {file}",
        f"has seen {len(seen)} lines (the first line is 0): {spans(sorted(seen))}",
        f"new since {since}: {len(new)}: {spans(new)}",
    ):
        console.print(words, highlight=False, markup=False, soft_wrap=True)


def _chosen(lineage: Lineage, wanted: str) -> tuple[int, int]:
    """(the step of the checkpoint that is meant, that of the one before it or 0)."""
    from itertools import pairwise

    from trackhub.errors import ConfigError

    steps = list(lineage.checkpoints)
    for before, step in pairwise([0, *steps]):
        if wanted in (str(step), lineage.file(step).name):
            return step, before
    known = _ends(steps) if steps else "the run has none"
    raise ConfigError(f"no checkpoint {wanted}; those that count, by step: {known}")


def _export(lineage: Lineage, law: Law | None, target: Path, as_json: bool) -> None:
    from trackhub.lineage.pairs import export
    from trackhub.showing.console import console
    from trackhub.showing.words import counted

    written = export(lineage, law, target)
    gone = len(lineage.checkpoints) - written
    if as_json:
        print_json({"file": str(target), "pairs": written, "without_file": gone})
        return
    left_out = f"; without a file, and left out: {gone}" if gone else ""
    words = f"{target}: {counted(written, 'checkpoint')} with what they have seen{left_out}"
    console.print(words, highlight=False, markup=False, soft_wrap=True)


def _verify(lineage: Lineage, law: Law | None, as_json: bool) -> int:
    from trackhub.errors import ConfigError
    from trackhub.lineage.proof import proven
    from trackhub.showing.console import console
    from trackhub.showing.words import counted

    if law is None:
        raise ConfigError("the run's configuration does not say how its data were ordered: there is nothing to compare")
    found = proven(lineage, law)
    if as_json:
        print_json(found)
    elif found.first_difference is None:
        steps, lines = counted(found.steps, "step"), counted(found.lines, "line")
        console.print(f"[green]true[/green]: {steps}, {lines} used, as seed {law.seed} orders them", highlight=False)
    else:
        one = found.first_difference
        console.print(f"[red]not true[/red] from step {one.step} on (rank {one.rank}): {one.reason}", soft_wrap=True)
    if found.data_changed and not as_json:
        console.print(f"[yellow]{law.data_file} has changed since: its lines are others now[/yellow]", soft_wrap=True)
    return 0 if found.true else 1


def _summary(lineage: Lineage, as_json: bool) -> None:
    from trackhub.showing.console import console, table
    from trackhub.showing.words import counted

    told = lineage.totals()
    if as_json:
        print_json({**told, "checkpoints": list(lineage.counts())})
        return
    steps, lines = counted(told["steps"], "step"), counted(told["lines"], "line")
    words = f"{told['run']}: {steps}, {lines}, used {counted(told['samples'], 'time')}"
    console.print(words, highlight=False, markup=False, soft_wrap=True)
    columns = ("checkpoint", "steps since", "lines seen", "new", "file")
    shown = table(*columns, numbers=columns[:4])
    for one in lineage.counts():
        shown.add_row(str(one["step"]), str(one["steps"]), str(one["seen"]), str(one["new"]), one["file"])
    console.print(shown if lineage.checkpoints else "no checkpoint was saved")
