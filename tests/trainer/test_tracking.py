"""What the journal says of a training's batches is what the model saw."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from trackhub_trainer import loading, measuring, module, preparing, request
from trackhub_trainer.batches import Batch
from trackhub_trainer.config import Config
from trackhub_trainer.encoding import Encoded, Encoder
from trackhub_trainer.preparing import Job
from trackhub_trainer.quiet import hush
from trackhub_trainer.schedule import settle
from trackhub_trainer.tracking import TrackBatches
from trackhub_trainer.train import Training
from trainer_fit import LIGHTNING
from trainer_help import line, only_run, write_lines

import trackhub
from trackhub import events
from trackhub.cli import main
from trackhub.journal import read as read_journal
from trackhub.journal.state import state
from trackhub.layout import RunFolder
from trackhub.lineage import law
from trackhub.lineage.proof import proven
from trackhub.lineage.reading import read

FULL = Path("/dev/full")
STEPS, SIZE, QUESTIONS = 7, 4, 10
RESUMES = "ignore:You're resuming from a checkpoint that ended before the epoch"  # the position follows from the step
pytestmark = [pytest.mark.filterwarnings(warning) for warning in (*LIGHTNING, RESUMES)]
WORDS = ("pear", "stone", "river", "cloud", "bread", "glass", "horse", "paper", "wheel", "apple")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten questions that differ, with blank lines between them: question 3 is line 5."""
    lines: list[Any] = [line(id=f"q{word}", input=f"Is {word} a tool?") for word in WORDS]
    lines[3:3] = ["", ""]
    return write_lines(tmp_path_factory.mktemp("data"), "arc-challenge", train=lines, test=lines[:2])


def job(data_dir: Path, *arguments: str) -> Job:
    wanted = ["--dataset", "arc-challenge", "--data-dir", f"{data_dir}", "--max-steps", f"{STEPS}"]
    more = [
        "--batch-size",
        f"{SIZE}",
        "--save-steps",
        "3",
        "--trackers",
        "none",
        "--eval-limit",
        "1",
        "--finish-timeout",
        "0",
    ]
    return preparing.prepare(request.read([*wanted, *more, *arguments]))


def train(job: Job) -> Path:
    """The folder of a training in this process, whose log is as before when it has ended."""
    handlers, level = logging.root.handlers, logging.root.level
    try:
        outcome = Training(job, Console(quiet=True)).run(hush())
        assert outcome is not None
        return outcome.run.path
    finally:
        for handler in logging.root.handlers:
            handler.close()
        logging.root.handlers = handlers
        logging.root.setLevel(level)
        logging.captureWarnings(False)


def test_what_was_trained_is_kept_where_measuring_it_fails(
    data_dir: Path, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where no checkpoint was wanted."""
    real = measuring.Measuring.measure

    def fails(self: Any, run: Any, step: int, when: str) -> Any:
        if when == "after training":
            raise MemoryError("too much")
        return real(self, run, step, when)

    monkeypatch.setattr(measuring.Measuring, "measure", fails)
    with pytest.raises(MemoryError, match="too much"):
        train(job(data_dir, "--save-steps", "0", "--max-steps", "1"))
    run = only_run(runs)
    assert (run / "final_model" / "adapter_model.safetensors").is_file()
    assert state(RunFolder(run)).status == "failed"


def test_the_files_are_written_although_no_step_was_left_to_do(data_dir: Path, tmp_path: Path) -> None:
    """A training that was killed behind its last step goes on to its end without one."""
    wanted = job(data_dir)
    with trackhub.start(trackers=(), config=wanted.record(), runs_dir=tmp_path) as run:
        run.log_batch([1, 2, 5, 6], step=1, dataset="arc-challenge")
        TrackBatches(run, wanted).write_files()
        assert len((run.path / "logs" / "batch_tracking_arc-challenge.jsonl").read_text().splitlines()) == 1


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """Every batch that the model was trained on, as it got it."""
    batches: list[Batch] = []
    real = module.LoraModule.training_step

    def spied(self: Any, part: Any, index: int) -> Any:
        batches.append(part.batch)
        return real(self, part, index)

    monkeypatch.setattr(module.LoraModule, "training_step", spied)
    return batches


def sequences(batch: Batch) -> Iterator[tuple[int, ...]]:
    """The tokens of each question in a flat batch, whose positions begin at 0; the last one is not read."""
    starts = (batch.position_ids[0] == 0).nonzero().flatten().tolist()
    for start, stop in zip(starts, [*starts[1:], batch.input_ids.shape[1]], strict=True):
        yield tuple(batch.input_ids[0, start:stop].tolist())


def test_the_journal_holds_the_lines_that_the_model_saw(
    data_dir: Path, seen: list[Batch], tokenizer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Line by line, in their order, accumulated, over the ends of epochs; the four files and the proof agree."""
    wanted = job(data_dir, "--batch-size", f"{SIZE // 2}", "--accumulate", "2")
    folder = train(wanted)
    encoder = Encoder(tokenizer, 512)
    line_of = {encoder.example(one).ids[:-1]: one.line for one in wanted.data.train}
    assert sorted(line_of.values()) == [0, 1, 2, *range(5, 12)]
    passes = [[line_of[tokens] for tokens in sequences(batch)] for batch in seen]
    batches = [one + other for one, other in zip(passes[::2], passes[1::2], strict=True)]
    lineage = read(RunFolder(folder))
    told = {step: [line for part in parts for line in part.lines] for step, parts in lineage.steps()}
    assert told == dict(enumerate(batches, 1))
    assert {part.epoch for part in lineage.batches if part.step == 3} == {0, 1}
    assert list(lineage.checkpoints) == [5, 6, 7]
    text = (folder / "logs" / "batch_tracking_arc-challenge.jsonl").read_text()
    files = [json.loads(one) for one in text.splitlines()]
    assert [[sample["source_line"] for sample in one["samples"]] for one in files] == batches
    assert [one["id"] for one in files[0]["samples"]] == [id_of(wanted, line) for line in batches[0]]
    mapping = json.loads((folder / "logs" / "checkpoint_mapping_arc-challenge.json").read_text())
    assert mapping["checkpoint_5"]["batch_range"] == {"start_step": 0, "end_step": 4}
    known = law.of_run(RunFolder(folder))
    assert known is not None
    assert (known.data_file, known.changed()) == (f"{wanted.data.train_file}", False)
    assert known.sha256 == law.digest(wanted.data.train_file), "kept, not redacted"
    with pytest.raises(SystemExit) as end:
        main(["lineage", f"{folder}", "--verify"])
    assert (end.value.code, "true: 7 steps, 28 lines used" in capsys.readouterr().out) == (0, True)


def id_of(wanted: Job, number: int) -> str:
    [found] = [one for one in wanted.data.train if one.line == number]
    return str(found.row["id"])


def test_a_training_that_goes_back_tells_each_step_once(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The journal's effective view, the four files and the proof agree; what was taken back is not in them."""
    folder = train(job(data_dir))
    logs = folder / "logs"
    before = [(row["step"], lines_in(row)) for row in rows(logs)]
    assert len((logs / "batch_tracking_arc-challenge.jsonl").read_text().splitlines()) == STEPS
    checkpoint = folder / "checkpoints" / "checkpoint-step-005.ckpt"
    more = ["--trackers", "none", "--finish-timeout", "0", "--max-steps", f"{STEPS + 2}"]
    went_on = train(preparing.prepare(request.read(["--resume-from-checkpoint", f"{checkpoint}", *more])))
    assert went_on == folder
    after = [(row["step"], lines_in(row)) for row in rows(logs)]
    assert after[:STEPS] == before
    assert [step for step, _ in after] == list(range(STEPS + 2))
    batches = [event.step for event in read_journal(folder, view="raw") if isinstance(event, events.Batch)]
    assert batches.count(6) > [batch.step for batch in read(RunFolder(folder)).batches].count(6)
    known = law.of_run(RunFolder(folder))
    assert known is not None
    assert proven(read(RunFolder(folder)), known).true
    mapping = json.loads((logs / "checkpoint_mapping_arc-challenge.json").read_text())
    assert [one["batch_range"]["end_step"] + 1 for one in mapping.values()] == [
        int(path.stem[-3:]) for path in sorted((folder / "checkpoints").glob("*.ckpt"))
    ]


def rows(logs: Path) -> list[dict[str, Any]]:
    """The traditional file of batches."""
    return [json.loads(row) for row in (logs / "batch_tracking_arc-challenge.jsonl").read_text().splitlines()]


def lines_in(row: dict[str, Any]) -> list[tuple[int, int]]:
    return [(sample["source_line"], sample["epoch"]) for sample in row["samples"]]


def test_the_file_of_batches_grows_step_by_step(
    data_dir: Path, runs: Path, seen: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows it sees each step when it is done."""
    lengths: list[int] = []
    spied = module.LoraModule.training_step

    def looked(self: Any, part: Any, index: int) -> Any:
        lengths.append(sum(path.read_bytes().count(b"\n") for path in runs.glob("*/logs/batch_tracking_*")))
        return spied(self, part, index)

    monkeypatch.setattr(module.LoraModule, "training_step", looked)
    train(job(data_dir, "--max-steps", "3", "--accumulate", "2"))
    assert lengths == [0, 0, 1, 1, 2, 2]
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("words", "tracks"), [([], True), (["--track_batches"], True), (["--no_track_batches"], False)]
)
def test_the_traditional_option_is_understood(words: list[str], tracks: bool) -> None:
    """With underscores, and off by a word of its own."""
    asked = request.read(words)
    assert (asked.problems, asked.config.track_batches) == ((), tracks)


def test_without_tracking_nothing_is_kept(data_dir: Path, runs: Path) -> None:
    """No event, no file, and the command says why."""
    train(job(data_dir, "--no-track-batches"))
    folder = only_run(runs)
    assert b'"kind":"batch"' not in (folder / "journal" / "rank-0.jsonl").read_bytes()
    assert [path.name for path in (folder / "logs").iterdir()] == ["training.log"]


@pytest.mark.parametrize(("workers", "accumulate", "ranks"), [(0, 1, 1), (2, 2, 1), (0, 2, 3), (2, 1, 2)])
@pytest.mark.parametrize("batching", ["flat", "bucketed"])
def test_the_loader_yields_what_the_law_says(workers: int, accumulate: int, ranks: int, batching: str) -> None:
    """Read ahead by workers or not, divided or not, from the first step or from a later one; in buckets by length."""
    examples = [Encoded((number + 1, *[0] * (number % 4), 0), 1) for number in range(QUESTIONS)]
    steps = settle(Config(max_steps=5, batch_size=2, accumulate=accumulate, devices=ranks), QUESTIONS)
    known = law.Law(seed=3, per_step=2 * accumulate * ranks, lines=f"0-{QUESTIONS - 1}")
    for done in (0, 3):
        for rank in range(ranks):
            shown = {"done": lambda done=done: done, "rank": lambda rank=rank: rank, "workers": workers}
            passes = [part.batch for part in loading.loader(examples, steps, 3, batching, **shown)]
            found = [line for batch in passes for line in first_tokens(batch, batching)]
            shares = [[line for line, _ in known.share(step, rank, ranks)] for step in range(done + 1, 6)]
            if batching == "bucketed":
                shares = [
                    sorted(share, key=lambda line: (len(examples[line].ids), share.index(line))) for share in shares
                ]
            assert found == [line for share in shares for line in share]


def first_tokens(batch: Batch, batching: str) -> list[int]:
    """What each question begins with, which is its line and 1."""
    first = [tokens[0] for tokens in sequences(batch)] if batching == "flat" else batch.input_ids[:, 0].tolist()
    return [int(token) - 1 for token in first]


def test_a_disk_that_refuses_does_not_end_the_training(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has everything, the log says what is missing, and at the end the file is made good."""
    monkeypatch.setattr(TrackBatches, "_opened", lambda _: FULL.open("ab", buffering=0))
    folder = train(job(data_dir))
    assert {step for step, _ in read(RunFolder(folder)).steps()} == set(range(1, STEPS + 1))
    assert "No space left on device" in (folder / "logs" / "training.log").read_text()
    assert len((folder / "logs" / "batch_tracking_arc-challenge.jsonl").read_text().splitlines()) == STEPS
