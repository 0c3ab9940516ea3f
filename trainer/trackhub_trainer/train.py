"""One training, from the base model to the final one, told in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging.handlers import MemoryHandler
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from rich.console import Console

import trackhub
from trackhub import ranks
from trackhub.errors import ConfigError
from trackhub_trainer import (
    belonging,
    checkpoints,
    cloze,
    cloze_accuracy,
    final_model,
    machine,
    model,
    patience,
    quiet,
    saving,
)
from trackhub_trainer.batches import COLLATE
from trackhub_trainer.checkpoints import WholeFileIO
from trackhub_trainer.early_stop import EarlyStop
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import Accuracy, accuracy
from trackhub_trainer.going_on import go_on
from trackhub_trainer.keeping import STOPPED, Keeper
from trackhub_trainer.last_checkpoint import StopAfterStep
from trackhub_trainer.loading import loader
from trackhub_trainer.model_card import Card
from trackhub_trainer.module import LoraModule
from trackhub_trainer.preparing import Job
from trackhub_trainer.progress import ShowProgress
from trackhub_trainer.stopping import Stopping, Terminated, how_to_go_on
from trackhub_trainer.tracking import TrackBatches
from trackhub_trainer.validating import ValidateEvery, Validation
from trackhub_trainer.watch import Watch

log = logging.getLogger("trackhub_trainer")


@dataclass(frozen=True)
class Outcome:
    """What a training came to."""

    run: trackhub.Run
    before: Accuracy | None
    after: Accuracy
    cloze: tuple[tuple[str, Accuracy], ...] = ()


LOGS = "training.rank-*.log"
"""The logs of the ranks above 0."""


def log_name() -> str:
    """Each rank has a log of its own."""
    return LOGS.replace("*", str(ranks.rank())) if ranks.rank() else "training.log"


def _not_logged(_metrics: dict[str, Any], _step: int) -> None:
    """What a rank above 0 does with metrics: they are the whole step's, and rank 0 logs them."""


class Training:
    """The parts of one training.

    Args:
        job: what to train, checked.
        console: where people look.

    Raises:
        ConfigError: the base model cannot be loaded, the machine is not there, or the checkpoint is of another model.
    """

    def __init__(self, job: Job, console: Console) -> None:
        self.job = job
        self.console = console
        self._track: list[TrackBatches] = []
        self._stopping = Stopping()
        self._cloze: list[tuple[str, Accuracy]] = []
        self.machine = machine.choose(job.config)
        with console.status(f"loading {job.config.base_model}"):
            base, self.tokenizer = model.load(job.config.base_model, job.config.load_4bit)
        self.base = belonging.fingerprint(base)
        torch.manual_seed(job.config.seed)
        self.model = model.with_adapter(base, job.config)
        if problem := saving.too_small(job.config, checkpoints.size(model.trainable(self.model))):
            raise ConfigError(problem)
        if job.told and (wrong := belonging.of_model(job.told, self.model, self.base, job.config.base_model)):
            raise ConfigError(*wrong)
        longest = getattr(base.config, "max_position_embeddings", job.config.max_length)
        self.encoder = Encoder(self.tokenizer, min(job.config.max_length, longest))

    def run(self, waiting: MemoryHandler) -> Outcome | None:
        """Train, and tell trackhub; log records that are `waiting` go to the run's log first.

        Ranks above 0 train, and nothing else: they join rank 0's run, and have no outcome.
        """
        with self._lineage(), self._start() as run, self._ends(run):
            quiet.write_to(run.path / "logs" / log_name(), waiting)
            if ranks.rank():
                self._fit(run)
                return None
            self._introduce(run)
            before = None if self.job.told else self._measure(run, 0, "before training")
            last = self._fit(run)
            after = self._measure(run, last, "after training")
            self._save_final(run, last)
            log.info("final model saved; waiting for the trackers")
        return Outcome(run, before, after, tuple(self._cloze))

    def _save_final(self, run: trackhub.Run, steps: int) -> None:
        """`final_model/`, with its card."""
        config = self.job.config
        card = Card(self.job, run.path.name, run.summary, steps)
        folder = run.path / "final_model"
        final_model.save(self.model, self.tokenizer, config.base_model, folder, card.write, config.merge)

    def _start(self) -> trackhub.Run:
        config, settings = self.job.config, {**self.job.record(), "precision": self.machine.precision}
        if self.job.origin:
            return go_on(self.job, settings)
        return trackhub.start(
            project=config.project,
            name=self.job.run_name,
            trackers=config.trackers,
            options=self.job.options,
            config=settings,
            tags=config.tags,
            notes=config.notes,
            group=config.group,
            best={"test/accuracy": "max", "train/loss": "min", "val/loss": "min"},
            runs_dir=config.runs_dir,
            finish_timeout=config.finish_timeout,
        )

    @contextmanager
    def _lineage(self) -> Iterator[None]:
        """The traditional files are written when the run has ended, however it did: then its journal is whole."""
        try:
            yield
        finally:
            for track in self._track:
                track.write_files()

    @contextmanager
    def _ends(self, run: trackhub.Run) -> Iterator[None]:
        """Whatever ends the training early is in the log, and says where the run lies."""
        try:
            with self._stopping:
                yield
        except Terminated as stop:
            log.warning("stopped by SIGTERM")
            how_to_go_on(stop, run.path)
            run.finish("killed", "SIGTERM", timeout=0)
            raise
        except KeyboardInterrupt as stop:
            log.warning("stopped by Ctrl-C")
            how_to_go_on(stop, run.path)
            raise
        except BaseException as error:
            log.exception("the training failed")
            error.add_note(f"The run and its log: {run.path / 'logs' / log_name()}")
            if self.job.schedule.ranks > 1:
                error.add_note(f"The other ranks' logs, of which one may know more: {run.path / 'logs' / LOGS}")
            raise

    def _introduce(self, run: trackhub.Run) -> None:
        steps, data = self.job.schedule, self.job.data
        self.console.print(f"run {run.path}", highlight=False, soft_wrap=True)
        self.console.print(
            f"{self.job.config.base_model}, {model.trainable(self.model):,} trainable parameters; {len(data.train)} "
            f"questions, {steps.max_steps} steps of {steps.per_step} ({steps.epochs(len(data.train)):.1f} epochs)",
            highlight=False,
        )
        for note in self.job.notes:
            self.console.print(note, highlight=False, soft_wrap=True)
        log.info("settings: %s", self.job.record())
        if data.skipped:
            self.console.print(f"broken lines that are left out: {len(data.skipped)}", highlight=False)
        for line in data.skipped:
            log.warning("left out: %s", line)

    def _measure(self, run: trackhub.Run, step: int, when: str) -> Accuracy:
        """The accuracy on the test questions, logged and told."""
        questions = self.job.test_questions()
        self.model.to(self.machine.device)
        with self.console.status(f"test accuracy {when}") as status, self.machine.autocast():
            found = accuracy(
                self.model,
                self.encoder,
                questions,
                COLLATE[self.job.config.batching],
                self._stopping.noticing(lambda done: status.update(f"test accuracy {when}: {done}/{len(questions)}")),
            )
        run.log_metrics({"test/accuracy": found.value}, step=step)
        log.info("test accuracy %s: %s", when, found)
        self.console.print(f"test accuracy {when}: {found}", highlight=False)
        if self.job.config.cloze:
            self._measure_cloze(run, step, when)
        return found

    def _measure_cloze(self, run: trackhub.Run, step: int, when: str) -> None:
        """The accuracies of lm-evaluation-harness, on the same questions."""
        asked = [cloze.ask(self.job.task, question) for question in self.job.test_questions()]
        encoder = Encoder(self.tokenizer, cloze_accuracy.reach(self.model, self.tokenizer))
        with self.console.status(f"cloze accuracy {when}"), self.machine.autocast():
            found = cloze_accuracy.measure(
                self.model, encoder, asked, COLLATE[self.job.config.batching], self._stopping.noticing(lambda _: None)
            )
        for what, count in found.lost.items():
            log.warning("cloze accuracy: not quite lm-eval's for %s questions: %s", count, what)
        for name, value in found.named().items():
            run.log_metrics({f"test/cloze_{name}": value.value}, step=step)
            log.info("cloze %s %s: %s", name, when, value)
            self._cloze.append((f"{when}, cloze {name}", value))

    def _fit(self, run: trackhub.Run) -> int:
        """All steps; the last one, which a training that stops early reaches sooner."""
        job = self.job
        watch = Watch(_not_logged if ranks.rank() else run.log_metrics)
        module = LoraModule(self.model, job.schedule, job.config.weight_decay, watch.log, self._identity(run))
        keeper = self._keeper(run, watch)
        stop = StopAfterStep(self._stopping, keeper)
        progress = [] if ranks.rank() else [ShowProgress(self.console, job.schedule)]
        self._track += [TrackBatches(run, job)] if job.config.track_batches else []
        deciders = [*self._validation(watch), *self._early_stop(watch, keeper), keeper, stop]
        trainer = self._trainer(run.path, [*self._track, *deciders, *progress])
        examples = self.encoder.examples(job.data.train)
        batches = loader(
            examples,
            job.schedule,
            job.config.seed,
            job.config.batching,
            done=lambda: int(trainer.global_step),
            rank=lambda: int(trainer.global_rank),
            workers=job.config.workers,
            pin=self.machine.device == "cuda",
        )
        torch.manual_seed(job.config.seed + trainer.global_rank)  # each rank has dropout of its own
        self.model.train()
        if job.config.compile:
            self.model.compile(dynamic=True)  # in place: the names of the weights stay
        start = job.origin and job.origin.file
        with self._stopping.gently():
            trainer.fit(module, batches, ckpt_path=start, weights_only=None if start is None else True)
        return int(trainer.global_step)

    def _validation(self, watch: Watch) -> list[ValidateEvery]:
        """Measures before the others look at what was measured."""
        config = self.job.config
        if not config.eval_every:
            return []
        questions = Validation.of(self.encoder, self.job.validation_questions())
        steps, collate = self.job.schedule.max_steps, COLLATE[config.batching]
        return [ValidateEvery(config.eval_every, steps, questions, collate, self.machine.autocast, watch.log)]

    def _early_stop(self, watch: Watch, keeper: Keeper) -> list[EarlyStop]:
        """Stops after the checkpoint of the step, if there is one; the last step has one in any case."""
        if not self.job.config.early_stop:
            return []
        rule = patience.rule(self.job.config.early_stop)
        return [EarlyStop(rule, watch, lambda trainer: keeper.save(trainer, {STOPPED: 0.0}), self._tell)]

    def _tell(self, line: str) -> None:
        log.info(line)
        self.console.print(line, highlight=False)

    def _keeper(self, run: trackhub.Run, watch: Watch) -> Keeper:
        steps = self.job.schedule
        who = saving.chosen(self.job.config, steps)
        folder = run.path / "checkpoints"
        budget = None if ranks.rank() else saving.budget(self.job.config)  # rank 0 alone deletes: it has the metrics
        return Keeper(folder, who, steps.max_steps, watch, run.save_checkpoint, budget)

    def _identity(self, run: trackhub.Run) -> dict[str, Any]:
        """What a checkpoint tells of where it comes from."""
        data = self.job.data.train
        order = {"seed": self.job.config.seed, "questions": len(data), "data": belonging.digest(data)}
        whose = {"run_id": run.id, "run_path": str(run.path), "model": self.base}
        return {**whose, "dataset": self.job.task.name, **order}

    def _trainer(self, folder: Path, callbacks: list[Any]) -> Any:
        return lightning.Trainer(
            max_steps=self.job.schedule.max_steps,
            max_epochs=-1,
            accelerator=self.machine.accelerator,
            accumulate_grad_batches=self.job.schedule.accumulate,
            devices=self.job.schedule.devices,
            num_nodes=self.job.schedule.num_nodes,
            strategy=self.machine.strategy,
            precision=self.machine.precision,
            gradient_clip_val=self.job.config.clip or None,
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
