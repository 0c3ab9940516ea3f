"""The random state of a training, of all its ranks, so that it can go on with the very next number."""

from __future__ import annotations

import random
from typing import Any

import torch
from lightning.pytorch import Trainer


def collected(trainer: Trainer) -> list[dict[str, Any]]:
    """The state of each rank: only rank 0's checkpoint is written, and each rank has dropout of its own."""
    own = {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
        "python": random.getstate(),
    }
    if trainer.world_size == 1:
        return [own]
    states: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(states, own)
    return states


def restore(states: list[dict[str, Any]], rank: int) -> None:
    """Set the state of this rank."""
    own = states[rank]
    torch.set_rng_state(own["torch"].cpu())
    torch.cuda.set_rng_state_all([state.cpu() for state in own["cuda"]][: torch.cuda.device_count()])
    random.setstate(own["python"])
