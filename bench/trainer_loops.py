"""The trainings that `bench/trainer.py` compares: ours, bare loops, and the usual trainers, on the same questions.

Each takes the same steps with the same eight questions, AdamW on the same adapter, and dropout; a `Clock` ticks after
each step.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from trackhub_trainer import model
from trackhub_trainer.batches import Batch, flat, logits
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.preparing import Job

from trackhub.lineage import order

PADDED_TO = 512
MICRO = 2
"""Questions of a forward pass where all are padded to 512: more do not fit the memory."""
IGNORED = -100


class Clock:
    """CPU and wall time at the end of each step."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.wall: list[float] = []

    def tick(self) -> None:
        """A step is done."""
        self.cpu.append(time.process_time())
        self.wall.append(time.perf_counter())


class Material:
    """What every training but ours is given: the model with its adapter, and the questions of each step."""

    def __init__(self, job: Job) -> None:
        self.job = job
        torch.set_num_threads(1)
        base, self.tokenizer = model.load(job.config.base_model)
        torch.manual_seed(job.config.seed)
        self.model = model.with_adapter(base, job.config).train()
        self.examples = Encoder(self.tokenizer, job.config.max_length).examples(job.data.train)
        self.trained = [one for one in self.model.parameters() if one.requires_grad]

    def steps(self) -> Iterator[list[Encoded]]:
        """The questions of each step, in the trainer's own order."""
        plan = self.job.schedule
        for step in range(plan.max_steps):
            chosen = order.batch(step, plan.per_step, len(self.examples), self.job.config.seed)
            yield [self.examples[index] for index in chosen]

    def optimizer(self) -> torch.optim.AdamW:
        """The trainer's own."""
        return torch.optim.AdamW(self.trained, lr=self.job.schedule.lr, weight_decay=self.job.config.weight_decay)


def padded(examples: Sequence[Encoded], length: int = 0) -> dict[str, torch.Tensor]:
    """Rows with padding, as everybody makes them; with `length` all are that long, and the mask is all ones."""
    longest = length or max(len(one.ids) for one in examples)
    ids = torch.zeros(len(examples), longest, dtype=torch.long)
    labels = torch.full_like(ids, IGNORED)
    mask = torch.full_like(ids, int(bool(length)))
    for row, one in enumerate(examples):
        size = len(one.ids)
        ids[row, :size], mask[row, :size] = torch.tensor(one.ids), 1
        labels[row, size - one.answer : size] = torch.tensor(one.ids[size - one.answer :])
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def ours(job: Job, clock: Clock, folder: Path) -> dict[str, float]:
    """This trainer with everything on: two trackers, lineage, system metrics."""
    from rich.console import Console
    from trackhub_trainer import quiet
    from trackhub_trainer.each_step import EachStep
    from trackhub_trainer.fitting import Fitting
    from trackhub_trainer.train import Training

    spent = [0.0]

    class Tick(EachStep):
        def after_step(self, *_: Any) -> None:
            clock.tick()

    class Watched:
        """The run, with a stop watch on its log calls."""

        def __init__(self, run: Any) -> None:
            self._run = run

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._run, name)
            return _timed(found, spent) if name.startswith("log_") else found

    class Timed(Fitting):
        def run(self, run: Any) -> int:
            return super().run(Watched(run))

        def _trainer(self, folder: Path, callbacks: list[Any]) -> Any:
            return super()._trainer(folder, [*callbacks, Tick()])

    waiting = quiet.hush()
    with (folder / "console").open("w") as out:
        training = Training(job, Console(file=out))
        training.fitting = Timed(training.parts)
        training.run(waiting)
    return {"log": spent[0]}


def _timed(call: Callable[..., Any], spent: list[float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **named: Any) -> Any:
        begin = time.perf_counter()
        try:
            return call(*arguments, **named)
        finally:
            spent[0] += time.perf_counter() - begin

    return timed


def bare_same(job: Job, clock: Clock, _: Path) -> None:
    """A loop of ten lines on the trainer's own batches: flattened, logits only where an answer is."""
    it = Material(job)
    optimizer = it.optimizer()
    for examples in it.steps():
        batch: Batch = flat(examples)
        torch.nn.functional.cross_entropy(logits(it.model, batch), batch.targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()


def bare(job: Job, clock: Clock, _: Path) -> None:
    """A loop of ten lines on rows padded to the longest of their step."""
    it = Material(job)
    optimizer = it.optimizer()
    for examples in it.steps():
        it.model(**padded(examples)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()


def original(job: Job, clock: Clock, _: Path) -> None:
    """The original's way: rows padded to 512, a mask of ones, two rows at once."""
    it = Material(job)
    optimizer = it.optimizer()
    for examples in it.steps():
        for first in range(0, len(examples), MICRO):
            batch = padded(examples[first : first + MICRO], PADDED_TO)
            (it.model(**batch).loss * MICRO / len(examples)).backward()
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()


def by_lightning(job: Job, clock: Clock, folder: Path) -> None:
    """Lightning's Trainer with its CSVLogger, every step."""
    import lightning.pytorch as lightning
    from lightning.pytorch.loggers import CSVLogger

    it = Material(job)

    class Ticks(lightning.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, *_: Any) -> None:
            clock.tick()

    trainer = lightning.Trainer(
        max_steps=job.schedule.max_steps,
        max_epochs=-1,
        accelerator="cpu",
        logger=CSVLogger(str(folder)),
        log_every_n_steps=1,
        callbacks=[Ticks()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Plain(it), torch.utils.data.DataLoader(list(it.steps()), batch_size=None, collate_fn=padded))


def Plain(it: Material) -> Any:  # noqa: N802 - makes a class that only Lightning's import allows to be written
    """The module that everybody writes: the whole model in each checkpoint."""
    import lightning.pytorch as lightning

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = it.model

        def training_step(self, batch: dict[str, torch.Tensor], _: int) -> torch.Tensor:
            loss: torch.Tensor = self.model(**batch).loss
            self.log("train/loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return it.optimizer()

    return Module()


def _hf_arguments(job: Job, folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "max_steps": job.schedule.max_steps,
        "per_device_train_batch_size": job.schedule.per_step,
        "learning_rate": job.schedule.lr,
        "weight_decay": job.config.weight_decay,
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0.0,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "seed": job.config.seed,
    }


def _in_order(kind: type, clock: Clock, **arguments: Any) -> None:
    """Train with a trainer of the transformers family, on the rows as they come."""
    from transformers import TrainerCallback

    class Ticks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.tick()

    class InOrder(kind):  # type: ignore[misc,valid-type]
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(self.train_dataset)

    os.environ["TQDM_DISABLE"] = "1"
    InOrder(callbacks=[Ticks()], **arguments).train()


def by_hf(job: Job, clock: Clock, folder: Path) -> None:
    """The Hugging Face Trainer, logging every step."""
    from transformers import Trainer, TrainingArguments

    it = Material(job)
    rows = [one for examples in it.steps() for one in examples]
    arguments = TrainingArguments(**_hf_arguments(job, folder))
    _in_order(Trainer, clock, model=it.model, args=arguments, train_dataset=rows, data_collator=padded)


def by_trl(job: Job, clock: Clock, folder: Path) -> None:
    """trl's SFTTrainer on the same rows, tokenised already."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    it = Material(job)
    rows = [{"input_ids": list(one.ids), "answer": one.answer} for examples in it.steps() for one in examples]

    def collate(found: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        return padded([Encoded(tuple(row["input_ids"]), row["answer"]) for row in found])

    arguments = SFTConfig(**_hf_arguments(job, folder), dataset_kwargs={"skip_prepare_dataset": True})
    data = Dataset.from_list(rows)
    more = {"data_collator": collate, "processing_class": it.tokenizer}
    _in_order(SFTTrainer, clock, model=it.model, args=arguments, train_dataset=data, **more)
