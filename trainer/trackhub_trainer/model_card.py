"""The model card: what a stranger, and the hub, want to know of a final model. No path of this machine is in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from trackhub_trainer.card_facts import base_words, command, dataset, hub_name, place, versions
from trackhub_trainer.config import GROUPS
from trackhub_trainer.preparing import Job

SETTINGS = (*GROUPS["training"], *GROUPS["adapter"])
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
        base = hub_name(self._job.config.base_model)
        return {
            "library_name": "transformers" if merged else "peft",
            **({"base_model": base, "base_model_relation": "finetune" if merged else "adapter"} if base else {}),
            **({"datasets": [name]} if (name := dataset(self._job.data.train_file)) else {}),
            "pipeline_tag": "text-generation",
            "tags": ["lora", "trackhub", self._job.task.name],
            "model-index": [{"name": self._run, "results": self._results()}],
        }

    def _results(self) -> list[dict[str, Any]]:
        """The trainer's own accuracy, as the hub's model index wants it."""
        name = self._job.task.name
        found = [
            {"type": "accuracy", "name": key, "value": values["last"]}
            for key, values in self._metrics.items()
            if key.startswith("test/acc")
        ]
        about = {"task": {"type": "text-generation"}, "dataset": {"name": name, "type": name}}
        return [{**about, "metrics": found}] if found else []

    def _body(self, folder: str, merged: bool) -> Iterator[str]:
        kind = "The base model with the adapter merged into it" if merged else "A LoRA adapter"
        yield f"# {self._run}"
        yield ""
        yield f"{kind}, trained on {self._job.task.name} with trackhub's trainer."
        yield f"Base model: {base_words(self._job.config.base_model)}."
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
        yield f"- trained on {len(data.train)} questions of `{place(data.train_file)}`"
        yield f"- measured on {measured} of {len(data.test)} questions of `{place(data.test_file)}`.{also}"
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
        yield f"- versions: {', '.join(versions())}"


def _licence() -> Iterator[str]:
    yield "Yours to choose: add `license:` to the head of this file. Those of the base model and the data hold, too."
