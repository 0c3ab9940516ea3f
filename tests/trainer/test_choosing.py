"""Which data `--dataset` and the options beside it mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trackhub_trainer import choosing
from trackhub_trainer.config import Config
from trackhub_trainer.data import Data
from trackhub_trainer.preparing import prepare
from trackhub_trainer.request import read
from trackhub_trainer.tasks import Task
from trainer_help import line, write_lines


def write(path: Path, *rows: Any) -> str:
    """A file of lines."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def chosen(**settings: Any) -> tuple[Task, Data]:
    """What these settings mean; nothing is wrong with them."""
    task, found, problems = choosing.read(Config(**settings))
    assert not problems
    assert task is not None and found is not None
    return task, found


def test_a_file_is_a_data_set_and_its_siblings_are_found(tmp_path: Path) -> None:
    """By the name that the file has in common with them."""
    train = write(tmp_path / "my_train_formatted.jsonl", line())
    write(tmp_path / "my_test_formatted.jsonl", line(), line())
    task, found = chosen(dataset=train)
    assert (task.name, len(found.train), len(found.test), found.using_validation_as_test) == ("my", 1, 2, False)


def test_files_of_any_name(tmp_path: Path) -> None:
    """Each instead of the data set's own."""
    files = {f"{name}_file": write(tmp_path / f"{name[:2]}.txt", line()) for name in ("train", "validation", "test")}
    _, found = chosen(dataset="arc-easy", **files)
    assert [found.train_file.name, found.validation_file and found.validation_file.name, found.test_file.name] == [
        *("tr.txt", "va.txt", "te.txt")
    ]


def test_an_own_file_is_recorded_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its run can be repeated from anywhere, also if the file's name has no ending."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine", line())
    recorded = prepare(read(["--dataset", "mine", "--test-file", "mine", "--trackers", "none"])).record()
    assert (recorded["dataset"], recorded["test_file"]) == (str(tmp_path / "mine"), str(tmp_path / "mine"))


def test_the_kind_of_an_own_file_is_what_its_lines_say(tmp_path: Path) -> None:
    """`task_type` decides how it is asked."""
    row = line(task_type="pronoun_resolution", input="Ann hit Eve, so _ cried.", options=["Ann", "Eve"], target="2")
    path = write(tmp_path / "names.jsonl", row)
    task, found = chosen(dataset=path, test_file=path)
    assert task.name == "names"
    assert found.train[0].prompt == "Sentence: Ann hit Eve, so _ cried.\n1: Ann\n2: Eve\nAnswer:"


def test_a_file_without_anything_to_measure_on_says_what_to_give(tmp_path: Path) -> None:
    """No part of the training data is measured on instead."""
    path = write(tmp_path / "my.jsonl", line())
    _, _, [problem] = choosing.read(Config(dataset=path))
    assert problem == f"no questions to measure on for {path}: --test-file FILE names them"


@pytest.mark.parametrize("settings", [{"dataset": "absent.jsonl"}, {"train_file": "absent.jsonl"}])
def test_a_missing_file_is_named(settings: dict[str, str]) -> None:
    """As it was given."""
    _, _, problems = choosing.read(Config(**settings))
    assert problems[0] == "absent.jsonl cannot be read: No such file or directory"


def test_broken_lines_are_left_out_counted_and_recorded(tmp_path: Path) -> None:
    """Only where that is asked for; line numbers stay those of the file."""
    folder = write_lines(tmp_path, "arc-easy", train=[line(), "{", line()], test=[line(), line(target="Z")])
    task, _, problems = choosing.read(Config(dataset="arc-easy", data_dir=str(folder)))
    assert task and len(problems) == 2
    _, found = chosen(dataset="arc-easy", data_dir=str(folder), skip_bad_lines=True)
    assert [each.line for each in found.train] == [0, 2]
    assert [text.partition(": ")[0].rpartition("/")[2] for text in found.skipped] == [
        "arc-easy_train_formatted.jsonl, line 2",
        "arc-easy_test_formatted.jsonl, line 2",
    ]
    arguments = ["--dataset", "arc-easy", "--data-dir", str(folder), "--skip-bad-lines", "--trackers", "csv"]
    recorded = prepare(read(arguments)).record()
    assert (recorded["skip_bad_lines"], recorded["skipped_lines"]) == (True, 2)


def test_a_file_of_broken_lines_alone_is_a_mistake_all_the_same(tmp_path: Path) -> None:
    """There would be nothing to train on."""
    folder = write_lines(tmp_path, "arc-easy", train=["{", "["], test=[line()])
    _, _, problems = choosing.read(Config(dataset="arc-easy", data_dir=str(folder), skip_bad_lines=True))
    assert len(problems) == 2


def test_validation_that_serves_as_test_is_read_once(tmp_path: Path) -> None:
    """Its broken lines are counted once, too."""
    rows = [line(dataset="piqa", options=["a b", "c d"], target=None, target_idx=0)]
    folder = write_lines(tmp_path, "piqa", train=rows, validation=[*rows, "x"])
    _, found = chosen(dataset="piqa", data_dir=str(folder), skip_bad_lines=True)
    assert found.test is found.validation
    assert len(found.skipped) == 1


def test_a_test_file_that_is_given_is_the_test_also_where_validation_serves_as_test(tmp_path: Path) -> None:
    """PIQA's own test file has no labels; that of the user has."""
    rows = [line(dataset="piqa", options=["a b", "c d"], target=None, target_idx=0)]
    folder = write_lines(tmp_path, "piqa", train=rows, validation=rows)
    mine = write(tmp_path / "mine.jsonl", *rows, *rows)
    _, found = chosen(dataset="piqa", data_dir=str(folder), test_file=mine)
    assert (str(found.test_file), len(found.test), found.using_validation_as_test) == (mine, 2, False)


def test_the_traditional_names_of_files_are_settings(tmp_path: Path) -> None:
    """`data.train_file`; switches are true or false."""
    path = tmp_path / "settings.yaml"
    path.write_text("data: {train_file: a.jsonl, test_file: b.jsonl, skip_bad_lines: true}\n")
    request = read(["--config", str(path), "--no-skip-bad-lines"])
    assert not request.problems
    assert (request.config.train_file, request.config.test_file, request.config.skip_bad_lines) == (
        *("a.jsonl", "b.jsonl", False),
    )
    path.write_text("skip_bad_lines: perhaps\n")
    assert read(["--config", str(path)]).problems == (f"skip_bad_lines in {path} perhaps: must be true or false",)


def test_source_hub_without_a_data_set_of_that_name() -> None:
    """The sample ships with the trainer, and is nowhere else."""
    _, _, [problem] = choosing.read(Config(source="hub"))
    assert "--source hub has no sample" in problem


def test_what_is_measured_of_a_file_depends_on_who_names_it(tmp_path: Path) -> None:
    """The user means the file itself; a run was trained on it, and is measured on the test file beside."""
    train = write(tmp_path / "my_train.jsonl", line())
    test = write(tmp_path / "my_test.jsonl", line(), line())
    config = Config(dataset=train)
    assert str(choosing.to_measure(config, as_given=True)[1].where) == train
    assert str(choosing.to_measure(config, as_given=False)[1].where) == test
    assert str(choosing.to_measure(Config(test_file=test), as_given=False)[1].where) == test


def test_what_lm_eval_could_not_ask_is_told_before_training(tmp_path: Path) -> None:
    """Only where its accuracies are wanted."""
    rows = [line(input="No blank.", options=["Ann", "Eve"], target="2")]
    folder = str(write_lines(tmp_path, "winogrande", train=rows, validation=rows))
    chosen(dataset="winogrande", data_dir=folder)
    _, _, [problem] = choosing.read(Config(dataset="winogrande", data_dir=folder, cloze=True))
    assert "line 1: `input` holds no _ for the name (leave --cloze out)" in problem
