"""Checkpoints: names, atomic writing, and going on from one."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import pytest
import torch
from trackhub_trainer import model, saving
from trackhub_trainer.checkpoints import WholeFileIO, file_name, size
from trackhub_trainer.config import Config
from trackhub_trainer.data import Question
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.keeping import Keeper
from trackhub_trainer.loading import loader
from trackhub_trainer.module import LoraModule
from trackhub_trainer.schedule import Schedule, settle
from trackhub_trainer.stock import UNKNOWN, Stock
from trackhub_trainer.watch import Watch

pytestmark = [
    pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)` is deprecated"),  # lightning
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers"),  # lightning
]
CONFIG = Config(max_steps=12, save_steps=8, batch_size=4, lr=5e-3)


@pytest.fixture
def examples(encoder: Encoder, questions: tuple[Question, ...]) -> list[Encoded]:
    """Few, so that the training goes through them several times."""
    return encoder.examples(questions[:10])


class Run:
    """One training in `folder`: its losses by step, its weights at the end, and the checkpoints it told of."""

    def __init__(
        self, folder: Path, examples: list[Encoded], start: Path | None = None, config: Config = CONFIG
    ) -> None:
        self.losses: dict[int, float] = {}
        self.saved: list[tuple[str, int, float]] = []
        schedule: Schedule = settle(config, len(examples))
        torch.manual_seed(config.seed if start is None else 999)
        adapted = model.with_adapter(model.load("tiny")[0], config)
        watch = Watch(self._log)
        module = LoraModule(adapted, schedule, config.weight_decay, watch.log, {"run_id": "x"})
        who, budget = saving.chosen(config, schedule), saving.budget(config)
        keeper = Keeper(folder, who, schedule.max_steps, watch, self._saved, budget)
        trainer = lightning.Trainer(
            max_steps=schedule.max_steps,
            max_epochs=-1,
            accelerator="cpu",
            callbacks=[keeper],
            plugins=[WholeFileIO()],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        adapted.train()
        batches = loader(examples, schedule, 7, "flat", done=lambda: int(trainer.global_step))
        trainer.fit(module, batches, ckpt_path=start, weights_only=True)
        self.weights = {name: weight.detach().clone() for name, weight in module.named_parameters()}

    def _log(self, metrics: dict[str, Any], step: int) -> None:
        self.losses[step] = float(metrics["train/loss"])

    def _saved(self, path: Path, step: int, metrics: Any) -> None:
        assert path.is_file()
        self.saved.append((path.name, step, float(metrics["train/loss"])))


def test_going_on_from_a_checkpoint_is_exact(tmp_path: Path, examples: list[Encoded]) -> None:
    """With dropout, in the middle of an epoch: the same losses and weights, to the last bit."""
    straight = Run(tmp_path / "a", examples)
    resumed = Run(tmp_path / "b", examples, start=tmp_path / "a" / file_name(6, 12))
    assert resumed.losses == {step: loss for step, loss in straight.losses.items() if step > 6}
    assert all(torch.equal(weight, straight.weights[name]) for name, weight in resumed.weights.items())


def test_a_longer_training_goes_on_at_the_rate_of_its_own_schedule(tmp_path: Path, examples: list[Encoded]) -> None:
    """The shorter one had come down to nothing; and it goes on after its last step as well as in its middle."""
    short = Config(max_steps=6, save_steps=1, batch_size=4, lr=5e-3, schedule="linear")
    Run(tmp_path, examples, config=short)
    longer = Config(max_steps=8, save=("every:7",), batch_size=4, lr=5e-3, schedule="linear")
    run = Run(tmp_path, examples, start=tmp_path / file_name(6, 6), config=longer)
    assert list(run.losses) == [7, 8]
    before, after = (torch.load(tmp_path / file_name(step, 8), weights_only=True) for step in (6, 7))
    assert not any(torch.equal(weight, after["state_dict"][name]) for name, weight in before["state_dict"].items())
    taken = settle(longer, 1).lr_at(8)  # that of the next step stands in the checkpoint
    assert after["optimizer_states"][0]["param_groups"][0]["lr"] == pytest.approx(taken)


def steps_in(folder: Path) -> list[int]:
    """The steps of the checkpoints in a folder; nothing else lies there."""
    return sorted(int(path.stem.removeprefix("checkpoint-step-")) for path in folder.iterdir())


def test_of_the_best_only_the_best_stay_also_over_a_resume(tmp_path: Path, examples: list[Encoded]) -> None:
    """Those that another policy wants stay too; going on from a checkpoint, the earlier best are still known."""
    config = Config(max_steps=12, save=("best:2", "every:6"), batch_size=4, lr=5e-3)
    straight = Run(tmp_path, examples, config=config)
    best = sorted(straight.losses, key=lambda step: straight.losses[step])[:2]
    assert steps_in(tmp_path) == sorted({*best, 6, 12})
    assert len(straight.saved) > 4, "some were taken back"
    for late in (step for step in steps_in(tmp_path) if step > 6):
        (tmp_path / file_name(late, 12)).unlink()
    early = [*steps_in(tmp_path)]
    Run(tmp_path, examples, start=tmp_path / file_name(6, 12), config=config)
    again = sorted((step for step in straight.losses if step in early or step > 6), key=straight.losses.__getitem__)
    assert steps_in(tmp_path) == sorted({*again[:2], 6, 12})


def test_one_of_the_best_that_was_deleted_later_is_none_after_going_back(tmp_path: Path) -> None:
    """What a better one had taken the place of is gone, and the better one is taken back: others get a chance."""
    (tmp_path / "b.ckpt").write_bytes(b"xx")
    config = Config(max_steps=12, save=("best:2", "improve:0.1"))
    stock = Stock(tmp_path, saving.chosen(config, settle(config, 9)))
    claims = {"best:2": {3: 0.1, 5: 0.2}, "improve:0.1": {3: 0.1}}
    stock.restore({"files": [[3, "a.ckpt", 9, 0.1], [5, "b.ckpt", 9, 0.2]], "claims": claims})
    kept = stock.state()
    assert kept["claims"] == {"best:2": {5: 0.2}, "improve:0.1": {3: 0.1}}
    assert kept["files"] == [[5, "b.ckpt", 2, 0.2]]


def test_a_budget_deletes_the_oldest_but_never_the_best_or_the_last(tmp_path: Path, examples: list[Encoded]) -> None:
    """Nor anything that the run has not written; the folder never holds more."""
    stranger = tmp_path / "checkpoint-step-000.ckpt"
    stranger.write_bytes(b"mine")
    config = Config(max_steps=12, save=("every:1",), disk_budget="3MB", batch_size=4, lr=5e-3)
    run = Run(tmp_path, examples, config=config)
    best = min(run.losses, key=lambda step: run.losses[step])
    assert steps_in(tmp_path) == sorted({0, 9, 10, 11, 12, best} - ({9} if best < 9 else set()))
    assert stranger.read_bytes() == b"mine"
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3_000_000


def test_a_budget_that_is_given_later_spares_the_best_of_before(tmp_path: Path, examples: list[Encoded]) -> None:
    """What a checkpoint is worth is known as soon as a policy asks for the best."""
    first = Config(max_steps=6, save=("every:1", "best:1"), batch_size=4, lr=5e-3)
    run = Run(tmp_path, examples, config=first)
    best = min(run.losses, key=lambda step: run.losses[step])
    kept = torch.load(tmp_path / file_name(6, 6), weights_only=True)["callbacks"]["Keeper"]
    assert {step: worth for step, _, _, worth in kept["files"]} == run.losses
    config = Config(max_steps=12, save=("every:1", "best:1"), disk_budget="3MB", batch_size=4, lr=5e-3)
    later = Run(tmp_path, examples, start=tmp_path / file_name(6, 6), config=config)
    whole = run.losses | later.losses
    assert min(whole, key=lambda step: whole[step]) in steps_in(tmp_path)
    other = Config(max_steps=12, save=("every:1", "best:1@train/lr"), batch_size=4, lr=5e-3)
    judged = Keeper(tmp_path, saving.chosen(other, settle(other, 10)), 12, Watch(print), print)
    judged.load_state_dict(kept)
    assert {worth for _, _, _, worth in judged.state_dict()["files"]} <= {UNKNOWN}
    assert best in {step for step, *_ in kept["files"]}


def test_each_of_the_last_steps_is_told_of_when_it_exists(tmp_path: Path, examples: list[Encoded]) -> None:
    """With the loss of that very step; its size is what the plan says, within a tenth."""
    run = Run(tmp_path, examples)
    assert run.saved == [(f"checkpoint-step-{step:03d}.ckpt", step, run.losses[step]) for step in range(5, 13)]
    assert (tmp_path / file_name(12, 12)).stat().st_size == pytest.approx(size(49_152), rel=0.1)


@pytest.mark.parametrize(("step", "steps", "name"), [(7, 125, "007"), (7, 12345, "00007"), (999, 999, "999")])
def test_names_sort(step: int, steps: int, name: str) -> None:
    """Three digits, or as many as the last step has."""
    assert file_name(step, steps) == f"checkpoint-step-{name}.ckpt"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """At any moment a checkpoint is there as a whole, or not at all."""
    path = tmp_path / "x.ckpt"
    WholeFileIO().save_checkpoint({"good": torch.ones(2)}, path)
    with pytest.raises((AttributeError, TypeError)):
        WholeFileIO().save_checkpoint({"bad": (lambda: None)}, path)
    assert torch.load(path, weights_only=True)["good"].tolist() == [1, 1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_in_words(tmp_path: Path) -> None:
    """torch's own words for it are "unexpected pos 129152 vs 129040"."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: .*x\.ckpt"):
            WholeFileIO().save_checkpoint({"big": torch.ones(100_000)}, tmp_path / "x.ckpt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
