"""A step is the same however it is divided: into forward passes, between ranks, with workers that read ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.loading import Part, loader
from trackhub_trainer.schedule import settle
from trainer_fit import LIGHTNING, distance, fit

pytestmark = [pytest.mark.filterwarnings(warning) for warning in LIGHTNING]
WHOLE = Config(max_steps=6, batch_size=8, save_steps=0, lora_dropout=0.0, lr=5e-3)


@pytest.fixture(scope="module")
def examples(tokenizer: object, questions: tuple[Question, ...]) -> list[Encoded]:
    """Some answers are longer than others, so that a mean of means would not do; several epochs are gone through."""
    known = [
        *questions[:7],
        *(Question(9, "Which tool?\nAnswer:", (text, "no"), 0) for text in ("a hammer", "yes " * 6)),
    ]
    found = Encoder(tokenizer, 512).examples(known)
    assert len({example.answer for example in found}) > 2
    return found


def parts(config: Config, examples: list[Encoded], rank: int = 0) -> list[Part]:
    """What the loader yields in one rank."""
    schedule = settle(config, len(examples))
    return list(loader(examples, schedule, 7, "flat", rank=lambda: rank, workers=config.workers))


def test_the_loss_of_a_divided_step_is_that_of_the_whole(tmp_path: Path, examples: list[Encoded]) -> None:
    """To the precision of the numbers: losses, and the weights after all steps."""
    whole = fit(tmp_path, examples, WHOLE)
    for size in (4, 1):
        divided = fit(tmp_path, examples, replace(WHOLE, batch_size=size, accumulate=8 // size))
        assert divided.losses == pytest.approx(whole.losses, rel=1e-5)
        assert distance(divided.weights, whole.weights) < 1e-4
    assert whole.losses[6] < whole.losses[1]


def tokens(found: list[Part]) -> list[Tensor]:
    return [part.batch.input_ids.flatten() for part in found]


def test_ranks_and_passes_share_the_questions_of_the_undivided_step(examples: list[Encoded]) -> None:
    """The first rank's passes, in order, then the second rank's: side by side they are the step."""
    whole = tokens(parts(WHOLE, examples))
    divided = replace(WHOLE, batch_size=2, accumulate=2, devices=2)
    shares = [tokens(parts(divided, examples, rank)) for rank in (0, 1)]
    for step, wanted in enumerate(whole):
        found = [share[2 * step + index] for share in shares for index in (0, 1)]
        assert torch.equal(torch.cat(found), wanted)


def test_a_part_knows_its_step(examples: list[Encoded]) -> None:
    """How many tokens the step predicts, on all ranks, and whether it is the last."""
    divided = replace(WHOLE, batch_size=2, accumulate=2, devices=2)
    mine, other = parts(divided, examples), parts(divided, examples, 1)
    assert [part.last for part in mine] == [False, True] * 6
    predicted = sum(len(part.batch.targets) for part in (*mine[:2], *other[:2]))
    assert {part.targets for part in (*mine[:2], *other[:2])} == {predicted}


def test_workers_change_nothing(examples: list[Encoded]) -> None:
    """They read ahead, in order."""
    alone, helped = (parts(replace(WHOLE, workers=count), examples) for count in (0, 2))
    assert all(torch.equal(*pair) for pair in zip(tokens(alone), tokens(helped), strict=True))
