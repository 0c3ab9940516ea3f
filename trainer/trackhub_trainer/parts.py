"""What a training works with: the model with its adapter, its tokenizer, the machine, and the questions as tokens."""

from __future__ import annotations

from typing import Any

import torch
from rich.console import Console

from trackhub.errors import ConfigError
from trackhub_trainer import belonging, checkpoints, machine, model, saving
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.preparing import Job
from trackhub_trainer.stopping import Stopping


class Parts:
    """The parts of one training, made once the job is checked.

    Args:
        job: what to train.
        console: where people look.

    Attributes:
        machine: where it runs, and in which number format.
        tokenizer: of the transformers library.
        base: the fingerprint of the base model.
        model: the base model with the adapter on it.
        encoder: questions as tokens.
        stopping: whether somebody asked for an end.

    Raises:
        ConfigError: the base model cannot be loaded, the machine is not there, or the checkpoint is of another model.
    """

    def __init__(self, job: Job, console: Console) -> None:
        self.job = job
        self.console = console
        self.stopping = Stopping()
        self.machine = machine.choose(job.config)
        with console.status(f"loading {job.config.base_model}"):
            base, self.tokenizer = model.load(job.config.base_model, job.config.load_4bit)
        self.base = belonging.fingerprint(base)
        torch.manual_seed(job.config.seed)
        self.model: Any = model.with_adapter(base, job.config)
        if problem := saving.too_small(job.config, checkpoints.size(model.trainable(self.model))):
            raise ConfigError(problem)
        if job.told and (wrong := belonging.of_model(job.told, self.model, self.base, job.config.base_model)):
            raise ConfigError(*wrong)
        longest = getattr(base.config, "max_position_embeddings", job.config.max_length)
        self.encoder = Encoder(self.tokenizer, min(job.config.max_length, longest))
