"""What `--dry-run` shows: what would be trained, how long, and what it would leave on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rich.console import Group

from trackhub.settings import select
from trackhub.showing.console import table
from trackhub_trainer import checkpoints, lora, machine, model, rates, saving
from trackhub_trainer.preparing import Job
from trackhub_trainer.save_plan import in_bytes, save_plan
from trackhub_trainer.schedule import Schedule


def plan(job: Job) -> Group:
    """The plan as a table, and the checkpoints as another.

    Raises:
        ConfigError: the model's configuration cannot be read, or it has no layers of the given names.
    """
    shown = table("plan", "", title=f"{job.run_name}: nothing is trained, nothing is written")
    parameters = _trainable(job)
    for name, value in (*_training(job), *_disk(job, parameters), *_tracking(job)):
        shown.add_row(name, value)
    budget = saving.budget(job.config)
    saves = save_plan(saving.chosen(job.config, job.schedule), checkpoints.size(parameters), budget)
    return Group(shown, "", saves) if saves.row_count else Group(shown)


def _trainable(job: Job) -> int:
    outline = model.with_adapter(model.outline(job.config.base_model), job.config, init_lora_weights=False)
    return model.trainable(outline)


def _training(job: Job) -> Iterator[tuple[str, str]]:
    steps, data, train = job.schedule, job.data, len(job.data.train)
    note = " (validation serves as test)" if data.using_validation_as_test else ""
    chosen = machine.choose(job.config)
    for word in job.notes:
        yield "resume", word
    yield "training questions", f"{train} in {data.train_file}"
    yield "test questions", f"{len(job.test_questions())} of {len(data.test)} in {data.test_file}{note}"
    if job.config.eval_every:
        many = f"{len(job.validation_questions())} of {len(data.validation)} in {data.validation_file}"
        yield "validation questions", f"{many}, every {job.config.eval_every} steps"
    if data.skipped:
        yield "broken lines", f"{len(data.skipped)} are left out"
    yield "base model", job.config.base_model
    yield "steps", f"{steps.max_steps} of {_per_step(steps)}: {steps.epochs(train):.2f} epochs"
    yield from rates.told(steps)
    yield from _options(job)
    yield (
        "machine",
        f"{chosen.accelerator}{_ranks(steps, chosen)}, precision {chosen.precision}, {job.config.batching} batches",
    )


def _options(job: Job) -> Iterator[tuple[str, str]]:
    """What is off by default."""
    config = job.config
    if config.clip:
        yield "clipping", f"the gradient of a step has a norm of {config.clip:g} at most"
    if config.early_stop:
        yield "early stopping", config.early_stop
    if others := lora.given(config.lora)[0]:
        yield "adapter", ", ".join(f"{name}={value}" for name, value in others.items())
    flags = ("gradient_checkpointing", "compile", "load_4bit")
    if on := [f"--{name.replace('_', '-')}" for name in flags if getattr(config, name)]:
        yield "with", ", ".join(on)


def _ranks(steps: Schedule, chosen: machine.Machine) -> str:
    return f" x {steps.ranks} ({chosen.strategy})" if steps.ranks > 1 else ""


def _per_step(steps: Schedule) -> str:
    """How a step's questions come together."""
    ways = [(steps.accumulate, "passes"), (steps.ranks, "ranks")]
    times = "".join(f" x {count} {what}" for count, what in ways if count > 1)
    return f"{steps.per_step} questions" + (f" ({steps.batch_size}{times})" if times else "")


def _disk(job: Job, parameters: int) -> Iterator[tuple[str, str]]:
    yield "trainable parameters", f"{parameters:,}"
    if not saving.chosen(job.config, job.schedule):
        yield "checkpoints", "none"
    yield "final_model", f"{in_bytes(4 * parameters)}, and the tokenizer"
    if job.config.merge:
        yield "merged model", "final_model/merged: all weights, in 32 bit"


def _tracking(job: Job) -> Iterator[tuple[str, str]]:
    from trackhub.layout import runs_dir

    folder = runs_dir(job.config.runs_dir)
    new = Path(folder) / f"{job.run_name}_<YYYYmmdd_HHMMSS>"
    yield "run folder", str(job.origin.run if job.origin else new)
    yield "trackers", str(select(job.config.trackers, job.options))
