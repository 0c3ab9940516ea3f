"""The checkpoints that a run has written: who claims each, which of them go, and what a resume must know of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from trackhub_trainer.policies import Policy

UNKNOWN = float("inf")
"""The worth of a checkpoint whose metric nobody has measured."""

log = logging.getLogger("trackhub_trainer")


@dataclass
class Kept:
    """A checkpoint on disk; `worth` is its metric, the lower the better."""

    step: int
    name: str
    size: int
    worth: float


class Stock:
    """Keeps what is claimed, and keeps to the budget.

    Only files that the run itself has written are ever deleted, and never the last of them, nor the best.

    Args:
        folder: where the files lie.
        policies: who claims them.
        budget: bytes that all files together may take.
    """

    def __init__(self, folder: Path, policies: Sequence[Policy], budget: int | None = None) -> None:
        self.folder = folder
        self.files: list[Kept] = []
        self._limits = {policy.text: policy.limit for policy in policies if policy.limit is not None}
        self._claims: dict[str, dict[int, float]] = {policy.text: {} for policy in policies}
        self._budget = budget

    @property
    def last_step(self) -> int:
        """The step of the last file; 0 if there is none."""
        return self.files[-1].step if self.files else 0

    def earlier(self, text: str) -> list[float]:
        """What the standing claims of a policy are worth, the oldest first."""
        return list(self._claims[text].values())

    def claim(self, step: int, claims: Mapping[str, float]) -> None:
        """Remember who claims a step, and what it is worth to them."""
        for text, worth in claims.items():
            self._claims.setdefault(text, {})[step] = worth

    def add(self, step: int, name: str, worth: float) -> Kept:
        """A file that is about to be written; the oldest make room for it, if it is as large as the one before."""
        expected = self.files[-1].size if self.files else 0
        while spare := self._over(expected):
            self._delete(spare, "--disk-budget")
        self.files.append(Kept(step, name, expected, worth))
        return self.files[-1]

    def take_back(self) -> None:
        """Delete the files of claims that better ones have taken the place of."""
        for text, limit in self._limits.items():
            standing = self._claims[text]
            while len(standing) > limit:
                del standing[max(standing, key=lambda step: (standing[step], step))]
        claimed = {step for standing in self._claims.values() for step in standing}
        for kept in [one for one in self.files[:-1] if one.step not in claimed]:
            self._delete(kept, "a better one has taken its place")

    def state(self) -> dict[str, Any]:
        """What a training that goes on from here must know; plain Python."""
        return {"files": [list(astuple(kept)) for kept in self.files], "claims": self._claims}

    def restore(self, state: Mapping[str, Any], judged: bool = True) -> None:
        """Go on with the files that are still there; one of the best that is gone is none of them any more.

        Args:
            state: what `state` returned.
            judged: whether what the files are worth still holds.
        """
        kept = [Kept(*fields) for fields in state["files"]]
        self.files = [one for one in kept if (self.folder / one.name).is_file()]
        for one in self.files:
            one.size = (self.folder / one.name).stat().st_size
            one.worth = one.worth if judged else UNKNOWN
        self._claims |= state["claims"]
        there = {one.step for one in self.files}
        for text in self._limits:
            standing = self._claims[text].items()
            self._claims[text] = {step: worth for step, worth in standing if step in there}

    def _over(self, expected: int) -> Kept | None:
        """The file that goes, if one more of the expected size is over the budget."""
        if self._budget is None or sum(kept.size for kept in self.files) + expected <= self._budget:
            return None
        best = min(kept.worth for kept in self.files)
        return next((kept for kept in self.files[:-1] if kept.worth > best or kept.worth == UNKNOWN), None)

    def _delete(self, kept: Kept, why: str) -> None:
        self.files.remove(kept)
        for text in self._limits:
            self._claims[text].pop(kept.step, None)
        (self.folder / kept.name).unlink(missing_ok=True)
        log.info("%s deleted: %s", kept.name, why)
