"""Which lines went into which step and checkpoint, and a journal that lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trackhub
from trackhub import InvalidValue
from trackhub.cli import main
from trackhub.events import Batch, Rewind
from trackhub.journal import JournalWriter
from trackhub.journal import read as read_journal
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder
from trackhub.lineage import law, proof, traditional
from trackhub.lineage.law import Law, spans, unspanned
from trackhub.lineage.pairs import pairs
from trackhub.lineage.reading import Lineage, read
from trackhub.testing.journals import SomeJournal

LAW = Law(seed=7, per_step=4, lines="0-4,6-10")
"""Ten questions, without line 5, in steps of four: steps 3, 5, 8, ... span the end of an epoch."""


def some_run(path: Path, steps: int = 8, saved: tuple[int, ...] = (3, 6, 8), ranks: int = 1) -> SomeJournal:
    """A run that used what the law says."""
    journal = SomeJournal(path)
    journal.params({law.KEY: msgspec.structs.asdict(LAW)})
    go_on(journal, 1, steps, saved, ranks)
    return journal


def go_on(journal: SomeJournal, first: int, last: int, saved: tuple[int, ...], ranks: int = 1) -> None:
    for step in range(first, last + 1):
        for rank in range(ranks):
            share = LAW.share(step, rank, ranks)
            for epoch in sorted({epoch for _, epoch in share}):
                journal.batch([line for line, of in share if of == epoch], step, epoch, rank, "d")
        if step in saved:
            journal.checkpoint(step)


def used(step: int) -> set[int]:
    return {line for line, _ in LAW.share(step)}


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """(exit code, output, errors) of `trackhub lineage`."""
    with pytest.raises(SystemExit) as end:
        main(["lineage", *arguments])
    said = capsys.readouterr()
    return int(end.value.code or 0), said.out, said.err


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What `trackhub lineage --json` says."""
    code, out, err = command(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@given(st.sets(st.integers(0, 60)))
def test_spans_are_read_back(numbers: set[int]) -> None:
    assert unspanned(spans(sorted(numbers))) == sorted(numbers)


def test_spans_are_short() -> None:
    assert spans([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


def test_a_run_logs_batches_with_its_rank_and_no_tracker_is_told() -> None:
    with trackhub.start(trackers="csv") as run:
        run.log_batch([3, np.int64(1)], step=1, dataset="d")
        run.log_batch((2,), step=1, epoch=1, dataset="d")
    found = [event for event in read_journal(run.path) if isinstance(event, Batch)]
    assert [(one.step, one.epoch, one.lines, one.dataset, one.rank) for one in found] == [
        (1, 0, (3, 1), "d", 0),
        (1, 1, (2,), "d", 0),
    ]
    assert run.receipts()[0].rejected == 0
    assert not (run.path / "metrics.csv").exists() or "3" not in (run.path / "metrics.csv").read_text()


@pytest.mark.parametrize("lines", [[-1], ["a"], [1.5], 7, [2**70], None], ids=str)
def test_a_batch_of_something_else_is_kept_out(lines: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "bare")
    folder.journal.mkdir(parents=True)
    run = trackhub.Run(folder, JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", "bare")))
    with pytest.raises(InvalidValue, match="lines are integers from 0 on"):
        run.log_batch(lines, step=1)
    monkeypatch.delenv("TRACKHUB_STRICT")
    run.log_batch(lines, step=1)
    run.log_batch([1], step="x")  # type: ignore[arg-type]
    run.finish()
    assert not [event for event in read_journal(run.path) if isinstance(event, Batch)]


def test_a_batch_beyond_the_last_row_is_taken_back_by_a_resume() -> None:
    """Killed between its batch and its row, the step is done again, and told once."""
    with trackhub.start(trackers="none", finish_timeout=0) as run:
        run.log_metrics({"a": 1.0}, step=1)
        run.log_batch([1], step=1)
        run.log_batch([2], step=2)
    with trackhub.resume(run.path, step=1, finish_timeout=0) as again:
        again.log_batch([2], step=2)
    assert [event.step for event in read_journal(run.path) if isinstance(event, Rewind)] == [1]
    assert [one.step for one in read(RunFolder(run.path)).batches] == [1, 2]


def test_a_line_is_found_in_its_steps_and_in_all_later_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = some_run(tmp_path / "r").folder.path
    for line in LAW.questions:
        wanted = [
            {"step": step, "epoch": epoch, "rank": 0, "checkpoints": [saved for saved in (3, 6, 8) if saved >= step]}
            for step in range(1, 9)
            for one, epoch in LAW.share(step)
            if one == line
        ]
        assert answer(capsys, str(run), "--line", str(line)) == wanted


def test_a_line_that_was_not_trained_on_is_the_users_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = some_run(tmp_path / "r").folder.path
    code, _, err = command(capsys, str(run), "--line", "5")
    assert (code, "line 5 was not trained on: these were, counted from 0: 0-4,6-10" in err) == (2, True)


def test_a_checkpoint_has_seen_every_step_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run(tmp_path / "r", saved=(1, 3)).folder.path
    found = answer(capsys, str(run), "--checkpoint", "3")
    assert found["lines"] == sorted(used(1) | used(2) | used(3))
    assert found["new"] == sorted((used(2) | used(3)) - used(1))
    assert (found["checkpoint"], found["before"]) == (3, 1)
    assert Path(found["file"]).read_bytes() == b"weights of step 3"
    assert answer(capsys, str(run), "--checkpoint", "checkpoint-step-003.ckpt") == found
    code, _, err = command(capsys, str(run), "--checkpoint", "2")
    assert (code, "no checkpoint 2; those that count, by step: 1,3 (2)" in err) == (2, True)


def test_the_pairs_are_written_to_a_new_file_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = some_run(tmp_path / "r")
    (journal.folder.checkpoints / "checkpoint-step-006.ckpt").unlink()
    target = tmp_path / "pairs.jsonl"
    told = answer(capsys, str(journal.folder.path), "--export", str(target))
    assert told == {"file": str(target), "pairs": 2, "without_file": 1}
    found = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(one["step"], Path(one["file"]).name) for one in found] == [
        (3, "checkpoint-step-003.ckpt"),
        (8, "checkpoint-step-008.ckpt"),
    ]
    assert found[0]["lines"] == found[0]["new_lines"] == sorted(used(1) | used(2) | used(3))
    assert found[1]["new_lines"] == []
    before = target.read_bytes()
    code, _, err = command(capsys, str(journal.folder.path), "--export", str(target))
    assert (code, "nothing is overwritten" in err, target.read_bytes() == before) == (2, True, True)


def test_the_summary_counts_what_each_checkpoint_has_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run(tmp_path / "r").folder.path
    code, out, _ = command(capsys, str(run))
    assert code == 0
    assert "8 steps, 10 lines, used 32 times" in out
    assert answer(capsys, str(run))["checkpoints"] == [
        {"step": 3, "steps": 3, "seen": 10, "new": 10, "file": "checkpoints/checkpoint-step-003.ckpt"},
        {"step": 6, "steps": 3, "seen": 10, "new": 0, "file": "checkpoints/checkpoint-step-006.ckpt"},
        {"step": 8, "steps": 2, "seen": 10, "new": 0, "file": "checkpoints/checkpoint-step-008.ckpt"},
    ]


def test_a_run_without_batches_is_told_from_one_without_lineage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = command(capsys, str(SomeJournal(tmp_path / "r").folder.path))
    assert (code, "logged no batches" in err, "run.log_batch" in err) == (2, True, True)


def test_of_several_data_sets_one_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = SomeJournal(tmp_path / "r")
    journal.batch([1], 1, dataset="a")
    journal.batch([2], 1, dataset="b")
    code, _, err = command(capsys, str(journal.folder.path))
    assert (code, "name one with --dataset: a, b" in err) == (2, True)
    assert answer(capsys, str(journal.folder.path), "--dataset", "b")["lines"] == 1
    assert command(capsys, str(journal.folder.path), "--dataset", "c")[0] == 2


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_a_true_journal_is_proven(tmp_path: Path, ranks: int, capsys: pytest.CaptureFixture[str]) -> None:
    run = some_run(tmp_path / "r", ranks=ranks).folder.path
    found = answer(capsys, str(run), "--verify")
    assert (found["true"], found["steps"], found["lines"], found["first_difference"]) == (True, 8, 32, None)


def tampered(journal: SomeJournal, step: int, change: Any) -> Lineage:
    """The run read again, after `change` of the first batch of a step in its file."""
    path = journal.folder.rank_journal(0)
    lines = path.read_bytes().splitlines(keepends=True)
    for place, line in enumerate(lines[1:], 1):
        row = json.loads(line)
        if row["kind"] == "batch" and row["step"] == step:
            changed = change(row)
            lines[place] = b"" if changed is None else json.dumps(changed).encode() + b"\n"
            break
    path.write_bytes(b"".join(lines))
    return read(journal.folder)


def other_line(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "lines": [*row["lines"][:1], (row["lines"][1] + 1) % 5, *row["lines"][2:]]}


TAMPERING = {
    "one line": (other_line, 2, "question 2 is line"),
    "two lines swapped": (lambda row: {**row, "lines": row["lines"][::-1]}, 2, "question 1 is line"),
    "one line less": (lambda row: {**row, "lines": row["lines"][:-1]}, 2, "3 lines in the journal; the order says 4"),
    "one line more": (lambda row: {**row, "lines": [*row["lines"], 0]}, 2, "5 lines in the journal; the order says 4"),
    "another epoch": (lambda row: {**row, "epoch": 1}, 2, "of epoch 1 in the journal"),
    "another step": (lambda row: {**row, "step": 3}, 2, "the journal has no batch of it"),
    "a step below the first": (lambda row: {**row, "step": 0}, 0, "steps are counted from 1"),
    "another rank": (lambda row: {**row, "rank": 1}, 2, "0 lines in the journal; the order says 4"),
    "gone": (lambda _: None, 2, "the journal has no batch of it"),
}


@pytest.mark.parametrize("name", TAMPERING)
def test_a_journal_that_was_tampered_with_is_found_out(tmp_path: Path, name: str) -> None:
    change, step, reason = TAMPERING[name]
    found = proof.first_difference(tampered(some_run(tmp_path / "r"), 2, change), LAW)
    assert found is not None
    assert (found.step, reason in found.reason) == (step, True), found


@pytest.mark.parametrize("step", range(1, 9))
def test_every_step_is_looked_at(tmp_path: Path, step: int) -> None:
    lineage = tampered(some_run(tmp_path / "r"), step, lambda row: {**row, "lines": [10 - row["lines"][0]]})
    found = proof.first_difference(lineage, LAW)
    assert found is not None
    assert found.step == step


@pytest.mark.parametrize("kept", [{"seed": 1}, "mine", {"of": "somebody"}], ids=str)
def test_something_else_of_that_name_is_no_law(tmp_path: Path, kept: Any, capsys: pytest.CaptureFixture[str]) -> None:
    journal = SomeJournal(tmp_path / "r")
    journal.params({law.KEY: kept})
    journal.batch([1], 1)
    code, _, err = command(capsys, str(journal.folder.path), "--verify")
    assert (code, "there is nothing to compare" in err) == (2, True)
    assert answer(capsys, str(journal.folder.path), "--line", "1")[0]["step"] == 1


def test_the_order_of_a_newer_version_is_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = some_run(tmp_path / "r")
    journal.params({law.KEY: {**msgspec.structs.asdict(LAW), "order": 2}})
    code, _, err = command(capsys, str(journal.folder.path), "--verify")
    assert (code, "by a newer trackhub" in err) == (2, True)


def test_the_last_steps_of_a_checkpoint_cannot_be_left_out(tmp_path: Path) -> None:
    journal = some_run(tmp_path / "r", steps=7, saved=(3,))
    journal.checkpoint(8)
    found = proof.first_difference(read(journal.folder), LAW)
    assert found == proof.Difference(8, 0, "the journal has no batch of it")


def test_a_rank_that_was_killed_before_it_told_its_last_batch_is_the_one_that_lacks_it(tmp_path: Path) -> None:
    journal = some_run(tmp_path / "r", steps=7, saved=(3,), ranks=2)
    journal.batch([line for line, _ in LAW.share(8, 0, 2)], 8, LAW.share(8, 0, 2)[0][1], 0, "d")
    found = proof.first_difference(read(journal.folder), LAW)
    assert found == proof.Difference(8, 1, "0 lines in the journal; the order says 2")
    journal.batch([1], 8, 0, 2, "d")
    rank_1 = [line for line, _ in LAW.share(8, 1, 2)]
    journal.batch(rank_1, 8, LAW.share(8, 1, 2)[0][1], 1, "d")
    found = proof.first_difference(read(journal.folder), LAW)
    assert found == proof.Difference(8, 2, "the run has 2 ranks, counted from 0")


def test_a_lie_ends_with_1_and_names_the_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = some_run(tmp_path / "r")
    tampered(journal, 5, other_line)
    code, out, _ = command(capsys, str(journal.folder.path), "--verify")
    assert (code, "not true from step 5 on (rank 0): question 2 is line" in out) == (1, True), out


def test_a_journal_with_a_hole_is_not_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is gone shows in the numbers of the events, also where it was no batch."""
    journal = some_run(tmp_path / "r")
    path = journal.folder.rank_journal(0)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    code, _, err = command(capsys, str(journal.folder.path), "--verify")
    assert code == 2, "without its parameters there is nothing to compare"
    journal = some_run(tmp_path / "s")
    path = journal.folder.rank_journal(0)
    path.write_bytes(b"".join(line for line in path.read_bytes().splitlines(True) if b'"checkpoint"' not in line))
    code, out, err = command(capsys, str(journal.folder.path), "--verify")
    assert (code, "is lost" in err, "true:" in out, out.startswith("not whole")) == (1, True, False, True)


def test_a_rewound_run_counts_what_counts(tmp_path: Path) -> None:
    journal = some_run(tmp_path / "r", steps=7, saved=(3, 6))
    journal.resume(4)
    go_on(journal, 5, 9, (6, 9))
    lineage = read(journal.folder)
    assert [step for step, _ in lineage.steps()] == list(range(1, 10))
    assert list(lineage.checkpoints) == [3, 6, 9]
    assert proof.first_difference(lineage, LAW) is None
    assert sum(len(batch.lines) for batch in lineage.batches) == 36


def test_a_data_file_that_has_changed_is_told(tmp_path: Path) -> None:
    data = tmp_path / "d.jsonl"
    data.write_text("one\n")
    known = Law(**law.record(1, 2, [0], data))
    assert not known.changed()
    data.write_text("two\n")
    assert known.changed()
    data.unlink()
    assert not known.changed()


def test_the_traditional_files_have_the_traditional_schemas(tmp_path: Path) -> None:
    journal = some_run(tmp_path / "r", ranks=2)
    lineage, logs = read(journal.folder), journal.folder.logs
    samples = {line: traditional.shown(f"q{line}", "x" * (95 + line)) for line in LAW.questions}
    traditional.write(lineage, LAW, samples, logs)
    batches = [json.loads(line) for line in (logs / "batch_tracking_d.jsonl").read_text().splitlines()]
    assert [one["step"] for one in batches] == list(range(8))
    third = batches[2]
    assert list(third) == ["step", "dataset", "batch_size", "timestamp", "samples", "source_range"]
    assert [(one["source_line"], one["epoch"]) for one in third["samples"]] == LAW.share(3)
    assert [one["global_idx"] for one in third["samples"]] == [8, 9, 10, 11]
    assert third["source_range"] == {
        "min_line": min(used(3)),
        "max_line": max(used(3)),
        "epochs_involved": [0, 1],
    }
    for one in third["samples"]:
        line = one["source_line"]
        assert one["actual_idx"] == LAW.questions.index(line)
        assert one["id"] == f"q{line}"
        assert one["input_preview"] == ("x" * 100 + "..." if line > 5 else "x" * (95 + line))
    mapping = json.loads((logs / "checkpoint_mapping_d.json").read_text())
    assert list(mapping) == ["checkpoint_3", "checkpoint_6", "checkpoint_8"]
    assert mapping["checkpoint_6"]["batch_range"] == {"start_step": 3, "end_step": 5}
    assert (mapping["checkpoint_6"]["total_batches"], mapping["checkpoint_6"]["total_samples"]) == (3, 12)
    unique = used(4) | used(5) | used(6)
    assert mapping["checkpoint_6"]["source_data_summary"] == {
        "total_source_lines": 12,
        "source_line_range": {"min": min(unique), "max": max(unique)},
        "epochs_involved": [1, 2],
        "unique_source_lines": len(unique),
    }
    lines = json.loads((logs / "line_checkpoint_mapping_d.json").read_text())
    assert lines["checkpoint_to_lines"]["checkpoint_6"] == {
        "checkpoint_step": 6,
        "lines": sorted(unique),
        "line_count": len(unique),
        "total_samples": 12,
        "step_range": [3, 5],
    }
    entries = [(int(line), one["step"]) for line, found in lines["line_to_checkpoint"].items() for one in found]
    assert sorted(entries) == sorted((line, step - 1) for step in range(1, 9) for line, _ in LAW.share(step))
    assert lines["summary"]["total_unique_lines"] == 10
    [*_, last] = json.loads((logs / "checkpoint_summary_d.json").read_text())["checkpoints"]
    last_lines = used(7) | used(8)
    assert last == {
        "name": "checkpoint_8",
        "step": 8,
        "line_range": [min(last_lines), max(last_lines)],
        "unique_lines": len(last_lines),
        "total_samples": 8,
    }


def test_pairs_of_a_run_that_moved_name_its_files_where_they_are(tmp_path: Path) -> None:
    journal = some_run(tmp_path / "r")
    journal.folder.path.rename(tmp_path / "moved")
    found = list(pairs(read(RunFolder(tmp_path / "moved"))))
    assert len(found) == 3
    assert all(Path(one["file"]).is_relative_to(tmp_path / "moved") for one in found)
