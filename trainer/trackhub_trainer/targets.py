"""What `trainer eval` measures: a run's final model, one checkpoint, an adapter, or a model by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trackhub.errors import ConfigError, TrackhubError
from trackhub.layout import find_run, runs_dir
from trackhub_trainer import model, origin
from trackhub_trainer.config import Config
from trackhub_trainer.eval_options import DATA, MODEL, EvalRequest

FINAL = "final_model"
ADAPTER = "adapter_config.json"
FILES = ("train_file", "validation_file")


@dataclass(frozen=True)
class Target:
    """A model that is to be measured.

    Attributes:
        name: as the table names it.
        config: the settings: those of its run, and on top those that were given.
        adapter: the folder of an adapter in peft's format.
        checkpoint: a checkpoint of a training.
        known: the names of the settings that were given, or are those of its run.
    """

    name: str
    config: Config
    adapter: Path | None = None
    checkpoint: Path | None = None
    known: frozenset[str] = frozenset()


def find(request: EvalRequest) -> Target:
    """What the user means; nothing is loaded.

    Raises:
        ConfigError: there is no such thing, or it has no model yet.
    """
    path = Path(request.target).expanduser()
    if path.suffix == ".ckpt" or (path.is_file() and path.suffix != ".gguf"):
        return _checkpoint(request, path)
    if (path / ADAPTER).is_file():
        return _adapter(request, path)
    run = _run(request)
    if run is not None:
        return _final(request, run)
    if problems := model.problems(request.target):
        raise ConfigError(*map(_bare, problems))
    return Target(request.target, replace(request.config, base_model=request.target), known=request.given)


def _bare(problem: object) -> str:
    """What is wrong with a model that was not named by an option."""
    return str(problem).replace("--base-model ", "")


def _run(request: EvalRequest) -> Path | None:
    path = Path(request.target).expanduser()
    if path.exists() and not (path / "journal").is_dir():
        return None
    try:
        return find_run(path, runs_dir(request.config.runs_dir)).path
    except TrackhubError:
        return None


def _final(request: EvalRequest, run: Path) -> Target:
    if not (run / FINAL / ADAPTER).is_file():
        saved = origin.saved(run)
        hint = f"; measure a checkpoint: {saved[0]}" if saved else ""
        raise ConfigError(f"the run {run.name} has no final_model{hint}")
    return replace(_adapter(_as_in(request, run), run / FINAL), name=run.name)


def _adapter(request: EvalRequest, folder: Path) -> Target:
    """Its base is the one given, else the copy beside it, else the one that it names."""
    run = folder.absolute().parent
    if (run / "journal").is_dir() and "dataset" not in request.given:
        request = _as_in(request, run)
    base = request.config.base_model
    if (folder / "base" / "config.json").is_file():
        base = str(folder / "base")
    elif "base_model" not in request.given:
        base = str(json.loads((folder / ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path") or base)
    return Target(str(folder), replace(request.config, base_model=base), adapter=folder, known=request.given)


def _checkpoint(request: EvalRequest, file: Path) -> Target:
    if not file.is_file():
        raise ConfigError(f"{file}: no such file")
    run = next((folder for folder in file.absolute().parents[:4] if (folder / "journal").is_dir()), None)
    request = _as_in(request, run) if run is not None else request
    name = file.name if run is None else f"{run.name}/{file.name}"
    return Target(name, request.config, checkpoint=file, known=request.given)


def _as_in(request: EvalRequest, run: Path) -> EvalRequest:
    """The request with the settings of a run where nothing was given."""
    from trackhub_trainer.resuming import recorded_in

    known, _, problems = recorded_in(run)
    wanted = {
        name: value for name, value in known.items() if name in (*DATA, *MODEL, *FILES) or name.startswith("lora")
    }
    if "dataset" in request.given:  # other data than the run's
        wanted = {name: value for name, value in wanted.items() if not name.endswith("_file")}
    if problems:
        raise ConfigError(*problems)
    given = {name: getattr(request.config, name) for name in request.given}
    values = {**wanted, "precision": None, **given}  # a precision fits the machine
    return replace(request, config=Config(**values), given=request.given | wanted.keys())


def load(target: Target) -> tuple[Any, Any]:
    """(model, tokenizer), on the CPU.

    Raises:
        ConfigError: it cannot be loaded, or the checkpoint is of another model.
    """
    try:
        base, tokenizer = model.load(target.config.base_model)
    except ConfigError as error:
        if target.checkpoint or target.adapter:
            raise
        where = runs_dir(target.config.runs_dir)
        raise ConfigError(f"no run in {where} is called {target.name}, and as a model: {_bare(error)}") from error
    if target.checkpoint is not None:
        return _with_checkpoint(target, base), tokenizer
    if target.adapter is not None:
        from peft import PeftModel

        return PeftModel.from_pretrained(base, target.adapter), tokenizer
    return base, tokenizer


def _with_checkpoint(target: Target, base: Any) -> Any:
    import torch

    from trackhub_trainer import belonging

    assert target.checkpoint is not None  # noqa: S101 - for the type checker
    told, known = belonging.told_by(target.checkpoint), belonging.fingerprint(base)
    adapted = model.with_adapter(base, target.config)
    if wrong := belonging.of_model(told, adapted, known, target.config.base_model):
        raise ConfigError(*wrong)
    weights = torch.load(target.checkpoint, map_location="cpu", weights_only=True)["state_dict"]
    adapted.load_state_dict({name.removeprefix("model."): weight for name, weight in weights.items()}, strict=False)
    return adapted
