"""The model card: what a stranger, and the hub, want to know of a final model. No path of this machine is in it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import yaml

from trackhub.secrets import redact_argv
from trackhub_trainer.config import GROUPS
from trackhub_trainer.preparing import Job

PACKAGES = ("trackhub-ml", "torch", "lightning", "transformers", "peft")
SETTINGS = (*GROUPS["training"], *GROUPS["adapter"])
HUB = "hub:"
"""What the place of data from the hub begins with."""

_ADAPTER = """from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("{name}")
tokenizer = AutoTokenizer.from_pretrained("{name}")"""
_MERGED = """from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{name}")
tokenizer = AutoTokenizer.from_pretrained("{name}")"""


class Card:
    """A model card.

    Args:
        job: what was trained.
        run: the name of the run, or of its folder.
        metrics: last, min, max and best of each metric, as `trackhub.Run.summary` has them.
        steps: how many were trained: fewer than planned where the training was stopped early.
    """

    def __init__(self, job: Job, run: str, metrics: Mapping[str, Mapping[str, float]], steps: int) -> None:
        self._job = job
        self._run = run
        self._metrics = {key: values for key, values in metrics.items() if not key.startswith(("system/", "rank-"))}
        self._steps = steps

    def write(self, folder: Path, merged: bool = False) -> None:
        """Write ``README.md`` for the adapter in `folder`, or for the merged model there."""
        head = yaml.safe_dump(self.head(merged), sort_keys=False, allow_unicode=True)
        text = f"---\n{head}---\n\n" + "\n".join(self._body(folder.name, merged)) + "\n"
        (folder / "README.md").write_text(text, encoding="utf-8")

    def head(self, merged: bool = False) -> dict[str, Any]:
        """What the hub reads. The licence is the user's to add."""
        base = _hub_name(self._job.config.base_model)
        return {
            "library_name": "transformers" if merged else "peft",
            **({"base_model": base, "base_model_relation": "finetune" if merged else "adapter"} if base else {}),
            **({"datasets": [name]} if (name := _dataset(self._job.data.train_file)) else {}),
            "pipeline_tag": "text-generation",
            "tags": ["lora", "trackhub", self._job.task.name],
            "model-index": [{"name": self._run, "results": self._results()}],
        }

    def _results(self) -> list[dict[str, Any]]:
        """Every accuracy, as the hub's model index wants it."""
        name = self._job.task.name
        found = [
            {"type": "accuracy", "name": key, "value": values["last"]}
            for key, values in self._metrics.items()
            if key.startswith("test/acc")
        ]
        place = {"task": {"type": "text-generation"}, "dataset": {"name": name, "type": name}}
        return [{**place, "metrics": found}] if found else []

    def _body(self, folder: str, merged: bool) -> Iterator[str]:
        kind = "The base model with the adapter merged into it" if merged else "A LoRA adapter"
        yield f"# {self._run}"
        yield ""
        yield f"{kind}, trained on {self._job.task.name} with trackhub's trainer."
        yield f"Base model: {_shown(self._job.config.base_model)}."
        yield ""
        yield "```python"
        yield (_MERGED if merged else _ADAPTER).format(name=folder)
        yield "```"
        yield ""
        for title, part in (
            ("Data", self._data()),
            ("Lineage", self._lineage()),
            ("Results", self._table()),
            ("Training", self._training()),
            ("Licence", _licence()),
        ):
            yield f"## {title}"
            yield ""
            yield from part
            yield ""

    def _data(self) -> Iterator[str]:
        data = self._job.data
        also = " The validation questions serve as test questions." if data.using_validation_as_test else ""
        measured = len(self._job.test_questions())
        yield f"- trained on {len(data.train)} questions of `{_place(data.train_file)}`"
        yield f"- measured on {measured} of {len(data.test)} questions of `{_place(data.test_file)}`.{also}"
        if data.skipped:
            yield f"- broken lines that were left out: {len(data.skipped)}"
        yield "- prompt: `Question: ...`, the options, `Answer:`; the loss is on the answer only"

    def _lineage(self) -> Iterator[str]:
        """Exact without the log: the questions of the steps are a stretch of the stream that `order` states."""
        size, questions = self._job.schedule.per_step, len(self._job.data.train)
        places = self._steps * size
        yield (
            f"{self._steps} steps of {size} questions saw {min(places, questions)} of the {questions} "
            f"questions, each {places / questions:.2f} times on average; the order follows from the seed."
        )
        if self._job.config.track_batches:
            yield "`trackhub lineage RUN` tells which line of the file went into which step and checkpoint."

    def _table(self) -> Iterator[str]:
        yield "| metric | last | min | max |"
        yield "|---|---|---|---|"
        for key, values in self._metrics.items():
            yield f"| {key} | " + " | ".join(f"{values[which]:.4g}" for which in ("last", "min", "max")) + " |"

    def _training(self) -> Iterator[str]:
        settings = {**asdict(self._job.config), **asdict(self._job.schedule)}
        yield "```"
        yield command()
        yield "```"
        yield ""
        for name in SETTINGS:
            if (value := settings[name]) is not False and value not in (None, (), ""):
                yield f"- {name}: {', '.join(map(str, value)) if isinstance(value, tuple) else value}"
        yield f"- versions: {', '.join(_versions())}"


def command() -> str:
    """The command line of this process: no credentials, and of each absolute path the name only."""
    words = redact_argv(["trainer", *sys.argv[1:]])
    return shlex.join(_nameonly(word) for word in words)


def _nameonly(word: str) -> str:
    option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}{PurePath(value).name if Path(value).expanduser().is_absolute() else value}"


def _dataset(place: Path) -> str:
    """The name on the hub of data that come from there; "" for others."""
    return "/".join(PurePath(str(place).removeprefix(HUB)).parts[:2]) if str(place).startswith(HUB) else ""


def _place(file: Path) -> str:
    return str(file).removeprefix(HUB) if str(file).startswith(HUB) else file.name


def _hub_name(base_model: str) -> str:
    """The base model's name on the hub; "" if it did not come from there. The hub takes nothing else as one."""
    local = base_model == "tiny" or base_model.endswith(".gguf") or Path(base_model).expanduser().exists()
    return "" if local else base_model


def _shown(base_model: str) -> str:
    if name := _hub_name(base_model):
        return f"[{name}](https://huggingface.co/{name})"
    return "the tiny one that ships with the trainer" if base_model == "tiny" else PurePath(base_model).name


def _licence() -> Iterator[str]:
    yield "Yours to choose: add `license:` to the head of this file. Those of the base model and the data hold, too."


def _versions() -> Iterator[str]:
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
