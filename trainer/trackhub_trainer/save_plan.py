"""The checkpoints of a training before it begins: who saves what, and the room that it takes."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from trackhub.showing.console import table
from trackhub_trainer.policies import At, Best, Every, Improve, Policy, YoungDaly

SHOWN = 6
"""Steps of a policy that are listed one by one."""


def save_plan(policies: Sequence[Policy], size: int, budget: int | None) -> Table:
    """A row for each policy, with its steps where they are known in advance, and one for all together.

    Args:
        policies: who saves.
        size: bytes of one checkpoint.
        budget: bytes that all together may take.
    """
    numbers = ("files", "size")
    shown = table("--save", "steps", *numbers, title=f"checkpoints, {in_bytes(size)} each", numbers=numbers)
    for policy in policies:
        shown.add_row(policy.text, _steps(policy), *_room(_most(policy), size))
    known = set().union(*(policy.steps for policy in policies if isinstance(policy, At)))
    unknown = [policy.text for policy in policies if _most(policy) is None]
    most = len(known) + sum(_most(policy) or 0 for policy in policies if not isinstance(policy, At))
    notes = [f"and those of {', '.join(unknown)}"] if unknown else []
    notes += [f"(the oldest go at {in_bytes(budget)})"] if budget else []
    if len(policies) != 1 or budget:
        shown.add_row("together", " ".join(notes), *_room(most, size, budget))
    return shown


def in_bytes(count: float) -> str:
    """A size for people, in decimal units."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def listed(steps: frozenset[int]) -> str:
    """Steps for people: "76-125", "25, 50, 75", "1, 15, 29 ... 125"."""
    inorder = sorted(steps)
    if len(inorder) > 2 and inorder[-1] - inorder[0] == len(inorder) - 1:
        return f"{inorder[0]}-{inorder[-1]}"
    if len(inorder) <= SHOWN:
        return ", ".join(map(str, inorder))
    return f"{', '.join(map(str, inorder[:3]))} ... {inorder[-1]}"


def _steps(policy: Policy) -> str:
    match policy:
        case At():
            return listed(policy.steps)
        case Best():
            return f"the best by {policy.metric}, {'lowest' if policy.sign > 0 else 'highest'} first"
        case Improve():
            return f"when {policy.metric} has improved by {100 * policy.fraction:g} %"
        case Every():
            return f"when the last checkpoint is {policy.seconds:g} s old"
        case YoungDaly():
            return "as the measured cost of saving makes it best"
    return ""


def _most(policy: Policy) -> int | None:
    """How many files, at most; None where nobody can know."""
    return len(policy.steps) if isinstance(policy, At) else policy.limit


def _room(files: int | None, size: int, budget: int | None = None) -> tuple[str, str]:
    if files is None:
        return "?", "?"
    total = files * size
    return str(files), in_bytes(min(total, budget) if budget else total)
