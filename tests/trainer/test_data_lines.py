"""Data lines of every kind, good and broken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from trackhub_trainer import sources
from trackhub_trainer.data import Data
from trackhub_trainer.tasks import TASKS
from trainer_help import line, write_lines

ARC = TASKS["arc-challenge"]


def read(folder: Path, **splits: list[Any]) -> tuple[Data, list[str]]:
    """What reading these lines gives."""
    return sources.read(ARC, write_lines(folder, "arc-challenge", **splits))


def test_a_line_becomes_a_prompt_with_its_options_and_the_letters_as_answers(tmp_path: Path) -> None:
    """What the model sees."""
    found, problems = read(tmp_path, train=[line()], test=[line()])
    assert not problems
    [question] = found.train
    assert question.prompt == "Question: Which is a tool?\nA: pear\nB: hammer\nC: dog\nAnswer:"
    assert (question.answers, question.right, question.line) == (("A", "B", "C"), 1, 0)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ('{"input": ', "no valid JSON"),
        ("[1, 2]", "no JSON object"),
        ('{{"input": "x"}}', "no valid JSON"),
        ("{[1]: 2}", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        (line(input=""), "`input` is missing"),
        (line(input=None), "`input` is missing"),
        (line(options=["A: one"]), "`options` is no list"),
        (line(options=["A: one", 2]), "`options` is no list"),
        (line(options=["A: one", "A: two"]), "same label"),
        (line(target="F"), "`target` 'F' is none of the options (A, B, C)"),
        (line(target="A"), "`target` is 'A', but `target_idx` 1 stands for 'B'"),
        (line(target=None, target_idx=3), "`target_idx` is 3; it must be 0 to 2"),
        (line(target=None, target_idx=-1), "`target_idx` is -1"),
        (line(target=None, target_idx=None), "`target_idx` is None"),
        (line(target=None, target_idx=True), "`target_idx` is True"),
    ],
)
def test_a_broken_line_is_told_with_file_line_and_reason(tmp_path: Path, broken: Any, reason: str) -> None:
    """Line numbers count from 1, blank lines included, as editors do."""
    _, [problem] = read(tmp_path, train=[line(), "", broken], test=[line()])
    assert "arc-challenge_train_formatted.jsonl, line 3: " in problem
    assert reason in problem


def test_many_broken_lines_are_counted(tmp_path: Path) -> None:
    """A page of them helps nobody."""
    _, problems = read(tmp_path, train=["x"] * 9, test=[line()])
    assert len(problems) == 6
    assert problems[-1].endswith("4 more broken lines")


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    """Nothing else is tried in its place."""
    present = {"train": [line()], "test": [line()]}
    del present[missing]
    _, [problem] = read(tmp_path, **present)
    assert f"arc-challenge_{missing}_formatted.jsonl cannot be read: No such file" in problem


def test_an_empty_file_and_a_missing_folder(tmp_path: Path) -> None:
    """Each has its own words."""
    _, [empty] = read(tmp_path, train=[""], test=[line()])
    assert empty.endswith("is empty")
    _, [absent] = sources.read(ARC, tmp_path / "nowhere")
    assert "--data-dir DIR names the folder that holds DIR/arc-challenge/" in absent


def test_validation_serves_as_test_where_there_is_none(tmp_path: Path) -> None:
    """And the data says so."""
    found, problems = read(tmp_path, train=[line()], validation=[line(), line()])
    assert not problems
    assert found.using_validation_as_test
    assert len(found.test) == 2


def test_a_python_repr_is_read_without_running_it(tmp_path: Path) -> None:
    """Some raw files hold single quotes; nothing in them is executed."""
    found, problems = read(tmp_path, train=[repr(line())], test=[line()])
    assert not problems
    assert found.train[0].right == 1
    _, [problem] = read(tmp_path, train=["__import__('os').getcwd()"], test=[line()])
    assert "no valid JSON" in problem


def test_labels_in_digits_count_from_their_target(tmp_path: Path) -> None:
    """Older scripts counted them from the letter A: "2" became -15."""
    digits = line(options=["1: pear", "2: hammer"], target="2", target_idx=-15)
    found, problems = read(tmp_path, train=[digits], test=[line()])
    assert not problems
    assert (found.train[0].answers, found.train[0].right) == (("1", "2"), 1)


def test_the_sample_is_whole() -> None:
    """It ships with the trainer, and no question of one split stands in another."""
    found, problems = sources.read(TASKS["sample"], Path("nowhere"))
    assert not problems
    assert (len(found.train), len(found.test)) == (200, 50)
    assert not {question.prompt for question in found.train} & {question.prompt for question in found.test}
    assert {question.right for question in found.test} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("name", "split", "answers"),
    [
        ("arc-challenge", "train", {"A", "B", "C", "D", "E", "1", "2", "3", "4"}),
        ("arc-challenge", "test", {"A", "B", "C", "D", "E", "1", "2", "3", "4"}),
        ("openbookqa", "train", {"A", "B", "C", "D"}),
        ("arc-easy", "validation", {"A", "B", "C", "D", "E", "1", "2", "3", "4"}),
        ("boolq", "validation", {"False", "True"}),
        ("winogrande", "validation", {"1", "2"}),
        ("piqa", "validation", None),
    ],
)
def test_real_files(shared: Path, name: str, split: str, answers: set[str] | None) -> None:
    """Every line of the real data is understood."""
    path = shared / "data" / "cs" / name / f"{name}_{split}_formatted.jsonl"
    part, problems = sources.file(TASKS[name], path)
    assert not problems
    assert len(part.questions) == len(path.read_text().splitlines())
    if answers is not None:
        assert {answer for question in part.questions for answer in question.answers} == answers


def test_a_line_that_is_no_utf8_is_told_with_its_number_among_the_others(tmp_path: Path) -> None:
    """Files from elsewhere come in other encodings; a byte order mark is no mistake."""
    folder = write_lines(tmp_path, "arc-challenge", train=[line(), line(), "x"], test=[line()])
    path = folder / "arc-challenge" / "arc-challenge_train_formatted.jsonl"
    first, second, *rest = path.read_bytes().split(b"\n")
    path.write_bytes(b"\xef\xbb\xbf" + b"\n".join([first, b"\xff" + second, *rest]))
    found, problems = sources.read(ARC, folder)
    assert len(found.train) == 1
    assert ", line 2: " in problems[0] and "can't decode byte 0xff" in problems[0]
    assert ", line 3: " in problems[1]
