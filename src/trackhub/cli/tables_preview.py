"""The tables of what would be sent, and of what trackers were found to hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.markup import escape
from rich.table import Table

from trackhub.checking.preview import Preview, Sort
from trackhub.checking.verify import Verified
from trackhub.showing.console import table
from trackhub.showing.words import counted, plain, short, size


def preview_table(previews: Iterable[Preview], title: str) -> Table:
    """What each tracker of a run would get: a line for each sort of thing, with the first few by name."""
    made = table("tracker", "what", "count", "which", title=escape(title), numbers=("count",))
    for preview in previews:
        for number, (what, count, words) in enumerate(_lines(preview)):
            made.add_row("" if number else preview.tracker, what, count, plain(words))
    return made


def _lines(preview: Preview) -> Iterator[tuple[str, str, str]]:
    if preview.problem:
        yield "[red]cannot[/red]", "", preview.problem
    if not preview.anything:
        yield "nothing", "0", "everything is delivered"
    if preview.again:
        yield "again", "", f"from the beginning: {preview.again}"
    for kind, count in preview.events.items():
        yield kind, str(count), ""
    if preview.files.count:
        yield "files", str(preview.files.count), f"{size(preview.file_bytes)}: {_first(preview.files)}"
    for what, sort in (("mapped", preview.mapped), ("cut", preview.cut), ("left out", preview.left_out)):
        if sort.count:
            yield what, str(sort.count), _first(sort)
    if preview.set_aside.count:
        yield "[yellow]set aside[/yellow]", str(preview.set_aside.count), _first(preview.set_aside)
    if preview.stays:
        stays = ", ".join(counted(count, what) for what, count in preview.stays.items())
        yield "stays", str(sum(preview.stays.values())), f"in the run folder: {stays}"
    if preview.end:
        yield "end", "", f"the run is {preview.end}"


def _first(sort: Sort) -> str:
    """The named ones, shortened; the count says how many there are, and ``--json`` names them in full."""
    return ", ".join(map(short, sort.first)) + (", ..." if sort.more else "")


def verified_table(found: Iterable[Verified]) -> Table:
    """What each tracker was found to hold, in points."""
    counts = ("expected", "found", "missing", "extra", "different")
    made = table("tracker", "verdict", *counts, "first", numbers=counts)
    for one in found:
        words = [*filter(None, [one.problem, one.cannot, one.note]), *map(short, one.first)]
        numbers = [str(getattr(one, count)) for count in counts] if one.keys else [""] * len(counts)
        made.add_row(one.tracker, _verdict(one), *numbers, plain("; ".join(words)))
    return made


def _verdict(one: Verified) -> str:
    if one.cannot:
        return "[yellow]cannot be asked[/yellow]"
    return "[green]agrees[/green]" if one.agrees else "[red]differs[/red]" if one.keys else "[red]no answer[/red]"
