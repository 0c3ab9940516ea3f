"""Where a training runs, on how many devices, and in which number format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec

from trackhub_trainer.config import Config

LAUNCHERS = ("TORCHELASTIC_RUN_ID", "SLURM_JOB_ID")
"""Set by torchrun and by SLURM."""


@dataclass(frozen=True)
class Machine:
    """A device, the precision and the strategy as Lightning names them."""

    accelerator: str
    device: str
    precision: str
    strategy: str

    def autocast(self) -> AbstractContextManager[object]:
        """The same mixed precision outside Lightning's trainer."""
        import torch

        kind = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}.get(self.precision)
        return nullcontext() if kind is None else torch.autocast(self.device, dtype=kind)


def launched() -> bool:
    """Whether torchrun or SLURM starts all ranks at once; else Lightning starts those above 0."""
    return any(name in os.environ for name in LAUNCHERS)


def problems(config: Config) -> list[str]:
    """What was asked for and is not there."""
    return [*_of_gpu(config), *_of_ranks(config)]


def _of_gpu(config: Config) -> Iterator[str]:
    if config.accelerator == "gpu" and not _gpus():
        yield "--accelerator gpu: torch finds no GPU here (see: python -m torch.utils.collect_env)"
    if config.precision == "16-mixed" and not _on_gpu(config):
        yield "--precision 16-mixed needs a GPU; on a CPU: --precision bf16-mixed"
    for option, wanted in (("--compile", config.compile), ("--load-4bit", config.load_4bit)):
        if wanted and not _on_gpu(config):
            yield f"{option} needs a GPU, and there is none in use here: leave it out"
    if config.load_4bit and _on_gpu(config) and find_spec("bitsandbytes") is None:
        yield "--load-4bit needs bitsandbytes: pip install bitsandbytes"
    if config.load_4bit and config.base_model.endswith(".gguf"):
        yield "--load-4bit quantizes a model in full precision; a .gguf is quantized already: leave one of them out"
    if config.strategy == "fsdp" and not _on_gpu(config):
        yield "--strategy fsdp needs GPUs; on a CPU: --strategy ddp"
    if config.devices > 1 and _on_gpu(config) and config.devices > _gpus():
        yield f"--devices {config.devices}: torch finds {_gpus()} GPU here; more ranks on CPUs: --accelerator cpu"


def _of_ranks(config: Config) -> Iterator[str]:
    asked = f"--devices {config.devices} --num-nodes {config.num_nodes}"
    if config.num_nodes > 1 and not launched():
        yield (
            f"--num-nodes {config.num_nodes} wants torchrun or srun on each machine, e.g. torchrun "
            f"--nnodes {config.num_nodes} --nproc-per-node {config.devices} ... --no-python trainer {asked} ..."
        )
    started = os.environ.get("WORLD_SIZE", "") if "TORCHELASTIC_RUN_ID" in os.environ else ""
    if started.isdecimal() and int(started) != config.devices * config.num_nodes:
        yield f"torchrun starts {started} processes, but {asked} wants {config.devices * config.num_nodes}"


def _gpus() -> int:
    import torch

    return int(torch.cuda.device_count())


def _on_gpu(config: Config) -> bool:
    return config.accelerator != "cpu" and _gpus() > 0


def choose(config: Config) -> Machine:
    """The machine for a training, with its number of threads set."""
    import torch

    # More threads than one only get in each other's way on matrices as small as the tiny model's.
    threads = config.threads or (1 if config.base_model == "tiny" else None)
    if threads:
        torch.set_num_threads(threads)
    on_gpu = _on_gpu(config)
    precision = config.precision or ("16-mixed" if on_gpu else "32-true")
    several = config.devices * config.num_nodes > 1
    strategy = "ddp" if several and config.strategy == "auto" else config.strategy
    return Machine("gpu" if on_gpu else "cpu", "cuda" if on_gpu else "cpu", precision, strategy)
