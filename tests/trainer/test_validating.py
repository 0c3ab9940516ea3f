"""Measuring while training goes on, and that the training does not notice."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from torch.nn.functional import cross_entropy
from trackhub_trainer import choosing, model, saving
from trackhub_trainer.batches import flat
from trackhub_trainer.checkpoints import WholeFileIO
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.evaluate import accuracy
from trackhub_trainer.keeping import Keeper
from trackhub_trainer.loading import loader
from trackhub_trainer.module import LoraModule
from trackhub_trainer.schedule import settle
from trackhub_trainer.validating import ACCURACY, LOSS, ValidateEvery, Validation
from trackhub_trainer.watch import Watch
from trainer_help import line, write_lines

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated"),  # lightning
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),  # lightning
]
CONFIG = Config(max_steps=10, save=("best:2@val/loss",), save_steps=0, batch_size=4, lr=5e-3)
Rows = dict[int, dict[str, float]]


def train(folder: Path, encoder: Encoder, questions: tuple[Question, ...], every: int | None) -> tuple[Rows, Any]:
    """(what was logged by step, the model at the end) of a training with dropout, measured or not."""
    rows: Rows = {}

    def log(metrics: dict[str, Any], step: int) -> None:
        rows.setdefault(step, {}).update({name: float(value) for name, value in metrics.items()})

    schedule, watch = settle(CONFIG, 20), Watch(log)
    torch.manual_seed(1)
    adapted = model.with_adapter(model.load("tiny")[0], CONFIG).train()
    keeper = Keeper(folder, saving.chosen(CONFIG, schedule), 10, watch, lambda *_: None)
    held_out = Validation.of(encoder, questions[20:40])
    measure = [ValidateEvery(every, 10, held_out, flat, nullcontext, watch.log)] if every else []
    trainer = lightning.Trainer(
        max_steps=10,
        max_epochs=-1,
        accelerator="cpu",
        callbacks=[*measure, keeper],
        plugins=[WholeFileIO()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(
        LoraModule(adapted, schedule, 0.01, watch.log, {}),
        loader(encoder.examples(questions[:20]), schedule, 7, "flat"),
    )
    return rows, adapted


def test_it_is_measured_every_so_many_steps_and_nothing_of_the_training_changes(
    tmp_path: Path, encoder: Encoder, questions: tuple[Question, ...]
) -> None:
    """The same losses and weights to the last bit; before the first step and after the last, too."""
    plain, _ = train(tmp_path / "plain", encoder, questions, None)
    rows, trained = train(tmp_path / "measured", encoder, questions, 4)
    assert [step for step, row in sorted(rows.items()) if LOSS in row] == [0, 4, 8, 10]
    assert {step: row["train/loss"] for step, row in rows.items() if step} == {
        step: row["train/loss"] for step, row in plain.items()
    }
    held_out = questions[20:40]
    assert rows[10][ACCURACY] == accuracy(trained, encoder, held_out, flat, lambda _: None).value
    assert rows[10][LOSS] == pytest.approx(by_hand(trained, encoder, held_out), rel=1e-4)
    assert rows[0][LOSS] > rows[10][LOSS]
    best = sorted((4, 8, 10), key=lambda step: rows[step][LOSS])[:2]
    assert sorted(path.stem for path in (tmp_path / "measured").iterdir()) == [
        f"checkpoint-step-{step:03d}" for step in sorted(best)
    ]


def by_hand(trained: Any, encoder: Encoder, questions: tuple[Question, ...]) -> float:
    """Mean cross-entropy over all answer tokens, one question at a time."""
    trained.eval()
    found = []
    for example in encoder.examples(questions):
        with torch.inference_mode():
            logits = trained(input_ids=torch.tensor([example.ids])).logits[0, -1 - example.answer : -1]
        found.append(cross_entropy(logits, torch.tensor(example.ids[-example.answer :]), reduction="none"))
    return float(torch.cat(found).mean())


def test_ranks_share_the_questions(tiny: Any, encoder: Encoder, questions: tuple[Question, ...]) -> None:
    """Their sums are those of all; a rank without a question adds nothing."""
    whole = Validation.of(encoder, questions[:5])
    parts = [whole.share(rank, 7).sums(tiny, flat) for rank in range(7)]
    assert parts[6] == (0.0, 0, 0)
    loss, tokens, right = whole.sums(tiny, flat)
    assert sum(part[0] for part in parts) == pytest.approx(loss, rel=1e-4)
    assert (sum(part[1] for part in parts), sum(part[2] for part in parts)) == (tokens, right)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"eval_every": 5}, "--eval-every wants validation questions"),
        ({"early_stop": "val/accuracy:3"}, "--early-stop val/accuracy:3 goes by a metric that nothing measures"),
        ({"save": ("last:2", "best:3@val/loss")}, "--save best:3@val/loss goes by a metric that nothing measures"),
    ],
)
def test_what_decides_by_validation_needs_it(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    """Told before training."""
    folder = write_lines(tmp_path, "arc-easy", train=[line()], test=[line()])
    _, _, [problem] = choosing.read(Config(dataset="arc-easy", data_dir=str(folder), **settings))
    assert words in problem
