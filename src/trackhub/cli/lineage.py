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
    from trackhub.cli.tables_lineage import show_uses
    from trackhub.errors import ConfigError

    if law and line not in law.questions:
        raise ConfigError(f"line {line} was not trained on: these were, counted from 0: {law.lines}")
    found = lineage.uses(line)
    print_json(found) if as_json else show_uses(line, found)


def _checkpoint(lineage: Lineage, wanted: str, as_json: bool) -> None:
    from trackhub.cli.tables_lineage import show_seen

    step, before = _chosen(lineage, wanted)
    file, seen = lineage.file(step), lineage.seen(step)
    lines, new = sorted(seen), sorted(seen - lineage.seen(before))
    if as_json:
        print_json({"checkpoint": step, "file": str(file), "before": before, "lines": lines, "new": new})
    else:
        show_seen(step, before, file, lines, new)


def _chosen(lineage: Lineage, wanted: str) -> tuple[int, int]:
    """(the step of the checkpoint that is meant, that of the one before it or 0)."""
    from itertools import pairwise

    from trackhub.cli.tables_lineage import ends
    from trackhub.errors import ConfigError

    steps = list(lineage.checkpoints)
    for before, step in pairwise([0, *steps]):
        if wanted in (str(step), lineage.file(step).name):
            return step, before
    raise ConfigError(f"no checkpoint {wanted}; those that count, by step: {ends(steps)}")


def _export(lineage: Lineage, law: Law | None, target: Path, as_json: bool) -> None:
    from trackhub.cli.tables_lineage import show_export
    from trackhub.lineage.pairs import export

    written = export(lineage, law, target)
    gone = len(lineage.checkpoints) - written
    if as_json:
        print_json({"file": str(target), "pairs": written, "without_file": gone})
    else:
        show_export(target, written, gone)


def _verify(lineage: Lineage, law: Law | None, as_json: bool) -> int:
    from trackhub.cli.tables_lineage import show_proof
    from trackhub.errors import ConfigError
    from trackhub.lineage.proof import proven

    if law is None:
        raise ConfigError("the run's configuration does not say how its data were ordered: there is nothing to compare")
    found = proven(lineage, law)
    print_json(found) if as_json else show_proof(found, law)
    return 0 if found.true else 1


def _summary(lineage: Lineage, as_json: bool) -> None:
    from trackhub.cli.tables_lineage import show_counts

    if as_json:
        print_json({**lineage.totals(), "checkpoints": list(lineage.counts())})
    else:
        show_counts(lineage)
