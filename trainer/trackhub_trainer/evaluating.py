"""`trainer eval`: measures a model on data sets, and tells the numbers; nothing is logged to a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

from rich.console import Console

from trackhub.errors import ConfigError
from trackhub_trainer import choosing, cloze, targets
from trackhub_trainer.eval_options import EvalRequest
from trackhub_trainer.eval_table import Part, Row, shown
from trackhub_trainer.targets import Target


def run(request: EvalRequest, console: Console) -> None:
    """Measure, and tell.

    Raises:
        ConfigError: everything that is wrong with the request.
    """
    target, parts = _prepared(request)
    rows = list(_measured(request, target, parts, console))
    told = json.dumps([row.told(target.name) for row in rows], indent=1, ensure_ascii=False)
    if request.json:
        print(told)
    else:
        console.print(shown(target.name, rows))
    if request.out is not None:
        with request.out.open("x", encoding="utf-8") as file:
            file.write(told + "\n")


def _prepared(request: EvalRequest) -> tuple[Target, list[Part]]:
    """The model, not loaded yet, and the questions."""
    problems = list(request.problems)
    if not request.target:
        raise ConfigError(*problems)
    try:
        target = targets.find(request)
    except ConfigError as error:
        raise ConfigError(*problems, *error.problems) from None
    if "dataset" not in target.known:
        problems.append(f"--dataset names what {target.name} is to be measured on")
    parts, wrong = _parts(target, request)
    if problems or wrong:
        raise ConfigError(*problems, *wrong)
    return target, parts


def _parts(target: Target, request: EvalRequest) -> tuple[list[Part], list[str]]:
    parts, problems = [], []
    for name in dict.fromkeys(part.strip() for part in target.config.dataset.split(",")):
        config = replace(target.config, dataset=name)
        task, split, wrong = choosing.to_measure(config, "dataset" in request.given)
        problems += wrong
        if task is not None and not wrong:
            split = replace(split, questions=split.questions[: request.config.eval_limit or None])
            wrong = cloze.problems(task, split, "--measure own does without") if "cloze" in request.measure else []
            problems += wrong
            parts.append(Part(task, split))
    return parts, problems


def _measured(request: EvalRequest, target: Target, parts: list[Part], console: Console) -> Iterator[Row]:
    from trackhub_trainer import cloze_accuracy, machine
    from trackhub_trainer.batches import COLLATE
    from trackhub_trainer.encoding import Encoder
    from trackhub_trainer.evaluate import accuracy

    chosen, collate = machine.choose(target.config), COLLATE[target.config.batching]
    model, tokenizer = targets.load(target)
    model.to(chosen.device).eval()
    reach = cloze_accuracy.reach(model, tokenizer)
    own, whole = Encoder(tokenizer, min(target.config.max_length, reach)), Encoder(tokenizer, reach)
    for part in parts:
        with chosen.autocast():
            if "own" in request.measure:
                seen = _seen(console, part, "own")
                yield Row(part, "accuracy", accuracy(model, own, part.split.questions, collate, seen))
            if "cloze" in request.measure:
                found = cloze_accuracy.measure(model, whole, part.asked(), collate, _seen(console, part, "cloze"))
                note = "; ".join(f"not quite lm-eval's for {count}: {what}" for what, count in found.lost.items())
                yield from (Row(part, f"cloze_{name}", value, note) for name, value in found.named().items())


def _seen(console: Console, part: Part, measure: str) -> Callable[[int], None]:
    """Shows how far it is, on a terminal."""
    status = console.status("")
    whole = len(part.split.questions)

    def tell(done: int) -> None:
        status.update(f"{part.task.name}, {measure}: {done}/{whole}")
        (status.start if done < whole else status.stop)()

    return tell
