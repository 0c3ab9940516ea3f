"""The tables that more than one command shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from rich.markup import escape
from rich.table import Table

from trackhub.delivery.cost_of_calls import RunCost
from trackhub.delivery.receipt import Receipt
from trackhub.delivery.sync import Outcome
from trackhub.showing.console import console, table
from trackhub.showing.words import coloured, counted, plain, short, span

WIDE = 110
"""Columns from which on there is room for more than the numbers."""
COUNTS = ("logged", "delivered", "mapped", "rejected", "lag")


def receipt_table(receipts: Iterable[Receipt], title: str | None = None) -> Table:
    """What each tracker has confirmed; a tracker that has everything is green. A narrow screen gets the numbers."""
    counts = ("logged", "delivered", "mapped", "rejected", "lag")
    wide = console.width >= WIDE
    made = table("tracker", "state", *counts, *(["after a crash"] if wide else []), "note", title=title, numbers=counts)
    for receipt in receipts:
        numbers = [str(getattr(receipt, count)) for count in counts[:-1]] + [_lag(receipt)]
        rule = [_repeats(receipt)] if wide else []
        made.add_row(
            receipt.tracker, coloured(receipt.state, receipt.rejected), *numbers, *rule, plain(_note(receipt, wide))
        )
    return made


def outcome_tables(outcomes: list[Outcome]) -> Iterator[Table | str]:
    """What came of several runs: a table for each on a screen, one for all in a pipe, and a line that counts them."""
    if len(outcomes) < 2 or console.is_terminal:
        for outcome in outcomes:
            yield receipt_table(outcome.receipts, title=f"{escape(outcome.name)}: {outcome.result}")
    else:
        yield _one_table(outcomes)
    if len(outcomes) > 1:
        results = Counter(outcome.result for outcome in outcomes)
        yield f"{len(outcomes)} runs: {', '.join(f'{count} {result}' for result, count in results.items())}"


def _one_table(outcomes: list[Outcome]) -> Table:
    made = table("run", "result", "tracker", "state", *COUNTS, "note", numbers=COUNTS)
    for outcome in outcomes:
        run = (escape(outcome.name), outcome.result)
        for receipt in outcome.receipts:
            made.add_row(*run, receipt.tracker, receipt.state, *_numbers(receipt), plain(_note(receipt, wide=True)))
        if not outcome.receipts:
            made.add_row(*run)
    return made


def cost_line(cost: RunCost) -> str:
    """What a run costs, in one line; "" while nothing is known."""
    parts = []
    if cost.log is not None:
        share = f"{cost.log.share:.2%} of the time" if cost.log.share >= 0.0001 else "below 0.01% of the time"
        parts.append(f"a log call takes {cost.log.median_us:.1f} µs (longest {cost.log.longest_us:.0f}), all {share}")
    if cost.refused:
        parts.append(f"{cost.refused} values were refused")
    used = {"supervisor": cost.supervisor, **cost.couriers}
    if cpu := sum(one.cpu for one in used.values()):
        most = max(used, key=lambda name: used[name].peak_mb)
        each = ", ".join(f"{name} {one.cpu:.1f}" for name, one in used.items() if one.cpu)
        parts.append(f"deliveries took {cpu:.1f} s of CPU ({each}), at most {used[most].peak_mb:.0f} MB ({most})")
    return f"cost: {'; '.join(parts)}" if parts else ""


def _repeats(receipt: Receipt) -> str:
    return f"once ({receipt.rule})" if receipt.rule else "may repeat" if receipt.delivered else ""


def _numbers(receipt: Receipt) -> list[str]:
    return [*(str(getattr(receipt, count)) for count in COUNTS[:-1]), _lag(receipt)]


def _lag(receipt: Receipt) -> str:
    """Events, and the time that lies between them and the present."""
    return f"{receipt.lag}, {span(receipt.behind)}" if receipt.lag else "0"


def _note(receipt: Receipt, wide: bool) -> str:
    if receipt.reason:
        return receipt.reason
    told = [short(one) for one in [f"set aside: {one}" for one in receipt.rejections[:1]] or receipt.told[-1:]]
    told += [stays(receipt.left)] if receipt.left else []
    return "; ".join(told) if told else receipt.where if wide else ""


def stays(left: dict[str, int]) -> str:
    """What a tracker was not given, in words."""
    return f"stays in the run folder: {', '.join(counted(count, what) for what, count in left.items())}"
