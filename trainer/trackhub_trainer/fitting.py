"""All steps of a training: the loop is Lightning's, and what happens after each step stands here in its order."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch

import trackhub
from trackhub import ranks
from trackhub_trainer import belonging, patience, saving
from trackhub_trainer.batches import COLLATE
from trackhub_trainer.checkpoints import WholeFileIO
from trackhub_trainer.early_stop import EarlyStop
from trackhub_trainer.keeping import STOPPED, Keeper
from trackhub_trainer.last_checkpoint import StopAfterStep
from trackhub_trainer.loading import loader
from trackhub_trainer.module import LoraModule
from trackhub_trainer.parts import Parts
from trackhub_trainer.progress import ShowProgress
from trackhub_trainer.tracking import TrackBatches
from trackhub_trainer.validating import ValidateEvery, Validation
from trackhub_trainer.watch import Watch

log = logging.getLogger("trackhub_trainer")


def _not_logged(_metrics: dict[str, Any], _step: int) -> None:
    """What a rank above 0 does with metrics: they are the whole step's, and rank 0 logs them."""


class Fitting:
    """Trains the model of a training.

    Args:
        parts: of the training.

    Attributes:
        track: what keeps the lineage, where it is kept.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.track: list[TrackBatches] = []

    def run(self, run: trackhub.Run) -> int:
        """All steps; the last one, which a training that stops early reaches sooner."""
        job, machine = self._parts.job, self._parts.machine
        watch = Watch(_not_logged if ranks.rank() else run.log_metrics)
        module = LoraModule(self._parts.model, job.schedule, job.config.weight_decay, watch.log, self._identity(run))
        keeper = self._keeper(run, watch)
        stop = StopAfterStep(self._parts.stopping, keeper)
        progress = [] if ranks.rank() else [ShowProgress(self._parts.console, job.schedule)]
        self.track += [TrackBatches(run, job)] if job.config.track_batches else []
        deciders = [*self._validation(watch), *self._early_stop(watch, keeper), keeper, stop]
        trainer = self._trainer(run.path, [*self.track, *deciders, *progress])
        examples = self._parts.encoder.examples(job.data.train)
        batches = loader(
            examples,
            job.schedule,
            job.config.seed,
            job.config.batching,
            done=lambda: int(trainer.global_step),
            rank=lambda: int(trainer.global_rank),
            workers=job.config.workers,
            pin=machine.device == "cuda",
        )
        torch.manual_seed(job.config.seed + trainer.global_rank)  # each rank has dropout of its own
        self._parts.model.train()
        if job.config.compile:
            self._parts.model.compile(dynamic=True)  # in place: the names of the weights stay
        start = job.origin and job.origin.file
        with self._parts.stopping.gently():
            trainer.fit(module, batches, ckpt_path=start, weights_only=None if start is None else True)
        return int(trainer.global_step)

    def _validation(self, watch: Watch) -> list[ValidateEvery]:
        """Measures before the others look at what was measured."""
        config = self._parts.job.config
        if not config.eval_every:
            return []
        questions = Validation.of(self._parts.encoder, self._parts.job.validation_questions())
        steps, collate = self._parts.job.schedule.max_steps, COLLATE[config.batching]
        return [ValidateEvery(config.eval_every, steps, questions, collate, self._parts.machine.autocast, watch.log)]

    def _early_stop(self, watch: Watch, keeper: Keeper) -> list[EarlyStop]:
        """Stops after the checkpoint of the step, if there is one; the last step has one in any case."""
        if not self._parts.job.config.early_stop:
            return []
        rule = patience.rule(self._parts.job.config.early_stop)
        return [EarlyStop(rule, watch, lambda trainer: keeper.save(trainer, {STOPPED: 0.0}), self._tell)]

    def _tell(self, line: str) -> None:
        log.info(line)
        self._parts.console.print(line, highlight=False)

    def _keeper(self, run: trackhub.Run, watch: Watch) -> Keeper:
        steps = self._parts.job.schedule
        who = saving.chosen(self._parts.job.config, steps)
        folder = run.path / "checkpoints"
        # Rank 0 alone deletes: it has the metrics.
        budget = None if ranks.rank() else saving.budget(self._parts.job.config)
        return Keeper(folder, who, steps.max_steps, watch, run.save_checkpoint, budget)

    def _identity(self, run: trackhub.Run) -> dict[str, Any]:
        """What a checkpoint tells of where it comes from."""
        data = self._parts.job.data.train
        order = {"seed": self._parts.job.config.seed, "questions": len(data), "data": belonging.digest(data)}
        whose = {"run_id": run.id, "run_path": str(run.path), "model": self._parts.base}
        return {**whose, "dataset": self._parts.job.task.name, **order}

    def _trainer(self, folder: Path, callbacks: list[Any]) -> Any:
        return lightning.Trainer(
            max_steps=self._parts.job.schedule.max_steps,
            max_epochs=-1,
            accelerator=self._parts.machine.accelerator,
            accumulate_grad_batches=self._parts.job.schedule.accumulate,
            devices=self._parts.job.schedule.devices,
            num_nodes=self._parts.job.schedule.num_nodes,
            strategy=self._parts.machine.strategy,
            precision=self._parts.machine.precision,
            gradient_clip_val=self._parts.job.config.clip or None,
            callbacks=callbacks,
            plugins=[WholeFileIO()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=folder,
        )
