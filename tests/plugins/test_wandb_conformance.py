"""The W&B tracker through the conformance kit; its files are read with another reader than its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import wandb_reader
from trackhub_wandb import WandbTracker

from trackhub.testing import TrackerConformance

STATUS = {0: "finished", 1: "failed", 255: "killed"}


class TestWandb(TrackerConformance):
    tracker = WandbTracker
    # The SDK waits for its own process for minutes where it cannot reach that; test_wandb kills that process instead.
    test_an_outage_inside_a_hook_is_not_swallowed = None

    def read_params(self, run: Path, carried: Any) -> dict[str, Any]:
        return wandb_reader.config(run)

    def read_status(self, run: Path, carried: Any) -> str:
        return STATUS[wandb_reader.of_kind(run, "exit")[-1].exit_code]

    def read_media(self, run: Path, carried: Any, kind: str) -> list[tuple[str, int, bytes]] | None:
        """A page gets a head, a figure is an image, a text is a page, and a table and a histogram are W&B's own."""
        if kind not in ("audio", "video"):
            return None
        found = (one for one in wandb_reader.media(run) if one[2]["_type"] == f"{kind}-file")
        return [(key, step, wandb_reader.content(run, said)) for key, step, said in found]
