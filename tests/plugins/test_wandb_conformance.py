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

    def read_params(self, run: Path, carried: Any) -> dict[str, Any]:
        return wandb_reader.config(run)

    def read_status(self, run: Path, carried: Any) -> str:
        return STATUS[wandb_reader.of_kind(run, "exit")[-1].exit_code]

    def read_media(self, run: Path, carried: Any) -> list[tuple[str, int, bytes]] | None:
        """Those that W&B keeps as they are: a page gets a head, a table and a histogram are W&B's own."""
        found = wandb_reader.media(run)
        if not {said["_type"] for _, _, said in found} <= {"audio-file", "image-file", "video-file"}:
            return None
        return [(key, step, wandb_reader.content(run, said)) for key, step, said in found]
