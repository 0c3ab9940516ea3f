"""How good the model is on the test questions, before training and after it: logged, told and kept."""

from __future__ import annotations

import logging

import trackhub
from trackhub_trainer import cloze, cloze_accuracy
from trackhub_trainer.batches import COLLATE
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import Accuracy, accuracy
from trackhub_trainer.parts import Parts

log = logging.getLogger("trackhub_trainer")


class Measuring:
    """Measures the model of a training.

    Args:
        parts: of the training.

    Attributes:
        cloze: the accuracies of lm-evaluation-harness so far, with what they are, where they were asked for.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.cloze: list[tuple[str, Accuracy]] = []
        self._noticing = parts.stopping.noticing
        self._collate = COLLATE[parts.job.config.batching]

    def measure(self, run: trackhub.Run, step: int, when: str) -> Accuracy:
        """The accuracy on the test questions, logged and told."""
        questions = self._parts.job.test_questions()
        self._parts.model.to(self._parts.machine.device)
        with self._parts.console.status(f"test accuracy {when}") as status, self._parts.machine.autocast():
            found = accuracy(
                self._parts.model,
                self._parts.encoder,
                questions,
                self._collate,
                self._noticing(lambda done: status.update(f"test accuracy {when}: {done}/{len(questions)}")),
            )
        run.log_metrics({"test/accuracy": found.value}, step=step)
        log.info("test accuracy %s: %s", when, found)
        self._parts.console.print(f"test accuracy {when}: {found}", highlight=False)
        if self._parts.job.config.cloze:
            self._cloze_accuracy(run, step, when)
        return found

    def _cloze_accuracy(self, run: trackhub.Run, step: int, when: str) -> None:
        """The accuracies of lm-evaluation-harness, on the same questions."""
        asked = [cloze.ask(self._parts.job.task, question) for question in self._parts.job.test_questions()]
        encoder = Encoder(self._parts.tokenizer, cloze_accuracy.reach(self._parts.model, self._parts.tokenizer))
        with self._parts.console.status(f"cloze accuracy {when}"), self._parts.machine.autocast():
            found = cloze_accuracy.measure(
                self._parts.model,
                encoder,
                asked,
                self._collate,
                self._noticing(lambda _: None),
            )
        for what, count in found.lost.items():
            log.warning("cloze accuracy: not quite lm-eval's for %s questions: %s", count, what)
        for name, value in found.named().items():
            run.log_metrics({f"test/cloze_{name}": value.value}, step=step)
            log.info("cloze %s %s: %s", name, when, value)
            self.cloze.append((f"{when}, cloze {name}", value))
