"""Whether a checkpoint belongs to this run, this model and these data: told before anything is trained."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from trackhub.errors import ConfigError
from trackhub.journal.params import params
from trackhub.layout import RunFolder
from trackhub.lineage import law
from trackhub_trainer.data import Data, Question

SAMPLED = 16
"""Numbers of each base weight that its fingerprint looks at."""


@dataclass(frozen=True)
class Told:
    """What a checkpoint tells of itself.

    Attributes:
        file: where it lies.
        step: the last step that it has seen.
        told: what `LoraModule` wrote: the run, the data, the model.
        shapes: of each trained weight, by its name.
    """

    file: Path
    step: int
    told: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]


def told_by(file: Path) -> Told:
    """Read a checkpoint as data. Nothing in it is run, whatever it holds.

    Raises:
        ConfigError: it is no checkpoint of a training by this program.
    """
    import torch

    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        raise ConfigError(f"{file} holds more than numbers and text, which is not loaded: it might run code") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise ConfigError(f"{file} cannot be read as a checkpoint: {_first_line(error)}") from error
    parts = ("trackhub", "state_dict", "optimizer_states", "rng", "global_step")
    missing = [part for part in parts if not isinstance(content, dict) or part not in content]
    if missing:
        raise ConfigError(f"{file} is no checkpoint of this trainer: it holds no {', '.join(missing)}")
    shapes = {name: tuple(weight.shape) for name, weight in content["state_dict"].items()}
    return Told(file, int(content["global_step"]), dict(content["trackhub"]), shapes)


def fingerprint(base: Any) -> str:
    """16 hexadecimal digits that differ between base models, also of the same architecture: names, shapes, samples."""
    seen = sha256()
    for name, weight in base.named_parameters():
        flat = weight.detach().flatten()
        samples = flat[:: max(1, flat.numel() // SAMPLED)][:SAMPLED].cpu().tolist()
        seen.update(f"{name} {tuple(weight.shape)} {samples}".encode())
    return seen.hexdigest()[:16]


def digest(questions: Iterable[Question]) -> str:
    """16 hexadecimal digits that differ between training data: each prompt and answer, in order."""
    seen = sha256()
    for question in questions:
        seen.update(repr((question.prompt, question.answers, question.right)).encode())
    return seen.hexdigest()[:16]


def of_lines(run: Path, data: Data) -> list[str]:
    """What speaks against these data, although the questions may be the same: they lie on other lines of the file."""
    before = params(RunFolder(run)).get(law.KEY)
    lines = law.spans([question.line for question in data.train])
    if not isinstance(before, Mapping) or before.get("lines", lines) == lines:
        return []
    return [
        f"{data.train_file} has its questions on other lines than the run {run.name} was trained on, and the lineage "
        "counts lines: give the file as it was, or start a new run"
    ]


def of_run_and_data(
    told: Told, run_id: str, questions: str, train_file: Path, max_steps: int, ended: bool
) -> list[str]:
    """What speaks against going on, as far as it shows without the model.

    Args:
        told: the checkpoint.
        run_id: of the run that it lies in.
        questions: the `digest` of the training questions.
        train_file: where they come from.
        max_steps: how far to train.
        ended: whether the run has finished, final model and all.
    """
    return list(_against(told, run_id, questions, train_file, max_steps, ended))


def _against(told: Told, run_id: str, questions: str, file: Path, max_steps: int, ended: bool) -> Iterator[str]:
    if told.told.get("run_id", run_id) != run_id:
        yield f"{told.file} is of another run ({told.told['run_id']}) than the folder that it lies in ({run_id})"
    if told.told.get("data", questions) != questions:
        yield f"{told.file} was trained on other questions than {file} holds: name the same data, or start a new run"
    if max_steps < told.step:
        yield f"--max-steps {max_steps} is less than the {told.step} steps that {told.file} has behind it"
    elif max_steps == told.step and ended:
        yield f"the run has done all its {max_steps} steps: a larger --max-steps goes on with it"


def of_model(told: Told, model: Any, base: str, name: str) -> list[str]:
    """What speaks against this model.

    Args:
        told: the checkpoint.
        model: with its adapter; its weights are those of `LoraModule.model`.
        base: the `fingerprint` of its base.
        name: the base, as the user names it.
    """
    trained = {f"model.{key}": tuple(one.shape) for key, one in model.named_parameters() if one.requires_grad}
    if trained != told.shapes:
        odd = next(key for key in sorted(trained.keys() | told.shapes) if trained.get(key) != told.shapes.get(key))
        shapes = f"{odd} is {told.shapes.get(odd, 'missing')} there and {trained.get(odd, 'missing')} here"
        return [f"{told.file} is of another model than {name}: {shapes}"]
    if told.told.get("model", base) != base:
        return [f"{told.file} is of another base model than {name}: same layers, other weights"]
    return []


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
