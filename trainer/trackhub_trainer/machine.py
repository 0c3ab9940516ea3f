"""Where a training runs, and in which number format."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from trackhub.errors import ConfigError
from trackhub_trainer.config import Config


@dataclass(frozen=True)
class Machine:
    """A device, and the precision as Lightning names it."""

    accelerator: str
    device: str
    precision: str

    def autocast(self) -> AbstractContextManager[object]:
        """The same mixed precision outside Lightning's trainer."""
        kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        return nullcontext() if kind is None else torch.autocast(self.device, dtype=kind)


def choose(config: Config) -> Machine:
    """The machine for a training, with its number of threads set.

    Raises:
        ConfigError: what was asked for is not there.
    """
    gpu = torch.cuda.is_available()
    if config.accelerator == "gpu" and not gpu:
        raise ConfigError("--accelerator gpu: torch finds no GPU here (see: python -m torch.utils.collect_env)")
    on_gpu = gpu and config.accelerator != "cpu"
    if config.precision == "16-mixed" and not on_gpu:
        raise ConfigError("--precision 16-mixed needs a GPU; on a CPU: --precision bf16-mixed")
    # More threads than one only get in each other's way on matrices as small as the tiny model's.
    threads = config.threads or (1 if config.base_model == "tiny" else None)
    if threads:
        torch.set_num_threads(threads)
    precision = config.precision or ("16-mixed" if on_gpu else "32-true")
    return Machine("gpu" if on_gpu else "cpu", "cuda" if on_gpu else "cpu", precision)
