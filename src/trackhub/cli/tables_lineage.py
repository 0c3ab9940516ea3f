"""How lineage looks: a line that says what is asked and found, and a table where there are several answers."""

from __future__ import annotations

from pathlib import Path

from trackhub.lineage.law import Law, spans
from trackhub.lineage.proof import Proof
from trackhub.lineage.reading import Lineage, Use
from trackhub.showing.console import console, table
from trackhub.showing.words import counted, plain


def say(words: str) -> None:
    """One line, however long."""
    console.print(words, highlight=False, soft_wrap=True)


def ends(steps: list[int]) -> str:
    """Steps of checkpoints in short: 56-60 (5)."""
    return f"{spans(steps)} ({len(steps)})" if steps else "none"


def show_uses(line: int, uses: list[Use]) -> None:
    """Where a line was used."""
    say(f"line {line} (the first line is 0): used {counted(len(uses), 'time')}")
    shown = table("step", "epoch", "rank", "checkpoints", numbers=("step", "epoch", "rank"))
    for use in uses:
        shown.add_row(str(use.step), str(use.epoch), str(use.rank), ends(use.checkpoints))
    if uses:
        console.print(shown)


def show_seen(step: int, before: int, file: Path, seen: list[int], new: list[int]) -> None:
    """What a checkpoint has seen."""
    say(plain(f"checkpoint {step}: {file}"))
    say(f"has seen {counted(len(seen), 'line')} (the first line is 0): {spans(seen)}")
    say(f"new since {f'checkpoint {before}' if before else 'the beginning'}: {len(new)}: {spans(new)}")


def show_export(target: Path, written: int, gone: int) -> None:
    """What was exported."""
    left_out = f"; without a file, and left out: {gone}" if gone else ""
    say(plain(f"{target}: {counted(written, 'checkpoint')} with what they have seen{left_out}"))


def show_proof(proof: Proof, law: Law) -> None:
    """Whether the journal is true."""
    if one := proof.first_difference:
        say(f"[red]not true[/red] from step {one.step} on (rank {one.rank}): {plain(one.reason)}")
    elif proof.losses:
        say("[red]not whole[/red]: what is left of the journal is as the order says")
    else:
        steps, lines = counted(proof.steps, "step"), counted(proof.lines, "line")
        say(f"[green]true[/green]: {steps}, {lines} used, as seed {law.seed} orders them")
    if proof.data_changed:
        say(f"[yellow]{plain(law.data_file)} has changed since: its lines are others now[/yellow]")


def show_counts(lineage: Lineage) -> None:
    """Each checkpoint in numbers."""
    told = lineage.totals()
    steps, lines = counted(told["steps"], "step"), counted(told["lines"], "line")
    say(plain(f"{told['run']}: {steps}, {lines}, used {counted(told['samples'], 'time')}"))
    columns = ("checkpoint", "steps since", "lines seen", "new", "file")
    shown = table(*columns, numbers=columns[:4])
    for one in lineage.counts():
        shown.add_row(str(one["step"]), str(one["steps"]), str(one["seen"]), str(one["new"]), plain(one["file"]))
    console.print(shown if lineage.checkpoints else "no checkpoint was saved")
