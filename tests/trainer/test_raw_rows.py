"""Rows as their makers publish them are the same questions as the lines of the traditional format."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from trackhub_trainer import hub, sources
from trackhub_trainer.data import Question, question
from trackhub_trainer.rows import Row
from trackhub_trainer.tasks import TASKS

ARC = {
    "id": "Mercury_1",
    "question": "Which is a tool?",
    "choices": {"text": ["pear", "hammer", "dog"], "label": ["A", "B", "C"]},
    "answerKey": "B",
}
STEM = {
    "id": "Mercury_1",
    "question": {
        "stem": "Which is a tool?",
        "choices": [{"text": "pear", "label": "A"}, {"text": "hammer", "label": "B"}, {"text": "dog", "label": "C"}],
    },
    "answerKey": "B",
}
OPEN = {**ARC, "question_stem": ARC["question"]}
del OPEN["question"]
BOOLQ = {"question": "is it hot", "passage": "The sun is hot. " * 60, "answer": True}
PIQA = {"goal": "drive a nail", "sol1": "use a hammer", "sol2": "use a pear", "label": 0}
WINOGRANDE = {"sentence": "Ann hit Eve, so _ cried.", "option1": "Ann", "option2": "Eve", "answer": "2"}
HELLASWAG = {
    "ind": 7,
    "activity_label": "Running",
    "ctx_a": "A man runs.",
    "ctx_b": "he",
    "ctx": "A man runs. he",
    "endings": ["falls.", "flies.", "sings.", "melts."],
    "label": "0",
}
SHAPES = [
    ("arc-challenge", ARC, ("A", "B", "C"), 1),
    ("arc-easy", STEM, ("A", "B", "C"), 1),
    ("openbookqa", OPEN, ("A", "B", "C"), 1),
    ("boolq", BOOLQ, ("False", "True"), 1),
    ("boolq", {**BOOLQ, "answer": None, "label": 0}, ("False", "True"), 0),
    ("piqa", PIQA, ("use a hammer", "use a pear"), 0),
    ("winogrande", WINOGRANDE, ("1", "2"), 1),
    ("hellaswag", HELLASWAG, ("falls.", "flies.", "sings.", "melts."), 0),
]


@pytest.mark.parametrize(("name", "row", "answers", "right"), SHAPES)
def test_a_raw_row_is_a_question(name: str, row: Row, answers: tuple[str, ...], right: int) -> None:
    """Of every data set."""
    found = question(TASKS[name], 0, row)
    assert (found.answers, found.right) == (answers, right)


@pytest.mark.parametrize(("name", "row", "answers", "right"), SHAPES)
def test_the_line_that_a_row_becomes_is_the_same_question(
    name: str, row: Row, answers: tuple[str, ...], right: int
) -> None:
    """Written as a line and read again, nothing changes."""
    found = question(TASKS[name], 0, row)
    assert question(TASKS[name], 0, json.loads(json.dumps(found.row))) == found


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("arc-challenge", {**ARC, "answerKey": "E"}, "`answerKey` 'E' is none of the labels (A, B, C)"),
        ("arc-challenge", {**ARC, "choices": {"text": ["a"], "label": ["A", "B"]}}, "`choices` is not"),
        ("arc-challenge", {**ARC, "choices": 3}, "`choices` is not"),
        ("arc-challenge", {"id": "x"}, "`question` is missing"),
        ("boolq", {"question": "is it", "answer": True}, "`passage` is missing"),
        ("piqa", {**PIQA, "label": -1}, "the label is -1, which stands for no option"),
        ("winogrande", {**WINOGRANDE, "answer": ""}, "the label is ''"),
        ("winogrande", {**WINOGRANDE, "answer": "0"}, "the label is '0'"),
        ("hellaswag", {**HELLASWAG, "label": "4"}, "the label is '4'"),
        ("hellaswag", {**HELLASWAG, "endings": "falls."}, "`endings` is no list"),
    ],
)
def test_a_broken_row_says_why(name: str, row: Row, reason: str) -> None:
    """Tests without labels, as the hub has them, among them."""
    with pytest.raises(ValueError, match="^" + reason.replace("(", r"\(").replace(")", r"\)")):
        question(TASKS[name], 0, row)


def test_raw_arc_is_the_formatted_arc(shared: Path) -> None:
    """The real thing: Python reprs on one side, lines on the other."""
    raw, problems = sources.file(TASKS["arc-challenge"], next((shared / "data" / "raw").glob("*.jsonl")))
    lines, _ = sources.file(
        TASKS["arc-challenge"], shared / "data" / "cs" / "arc-challenge" / "arc-challenge_validation_formatted.jsonl"
    )
    assert not problems
    assert raw.questions == lines.questions[:50]


def test_raw_files_are_found_in_the_folder_of_the_data_set(tmp_path: Path) -> None:
    """By the names that download scripts give them."""
    (tmp_path / "piqa").mkdir()
    (tmp_path / "piqa" / "train.jsonl").write_text(json.dumps(PIQA) + "\n")
    (tmp_path / "piqa" / "piqa_validation.jsonl").write_text(repr(PIQA) + "\n")
    found, problems = sources.read(TASKS["piqa"], tmp_path)
    assert not problems
    assert found.train == found.test == found.validation
    assert (found.train_file.name, found.test_file.name) == ("train.jsonl", "piqa_validation.jsonl")


def from_hub(name: str, rows: list[Any], asked: list[Any]) -> tuple[tuple[Question, ...], list[str]]:
    """The questions of a split that the hub has like this."""

    def load(*arguments: Any, **options: Any) -> list[Any]:
        asked.append((*arguments, options))
        return rows

    part, problems = hub.split(TASKS[name], "train", load=load)
    return part.questions, problems


def test_rows_of_the_hub_go_the_same_way() -> None:
    """Under the repository's name; a broken row is told with its place in the split."""
    asked: list[Any] = []
    found, problems = from_hub("arc-easy", [ARC, {**ARC, "answerKey": "Z"}], asked)
    assert asked == [("allenai/ai2_arc", "ARC-Easy", {"split": "train"})]
    assert found == (question(TASKS["arc-easy"], 0, ARC),)
    assert problems[0].startswith("hub:allenai/ai2_arc/ARC-Easy/train, line 2: `answerKey` 'Z'")


def test_every_data_set_but_the_sample_is_on_the_hub() -> None:
    """By the names of the trainer."""
    assert set(hub.HUB) == set(TASKS) - {"sample"}
    assert "has no sample" in hub.problems(TASKS["sample"])[0]


def test_the_library_itself_reads_local_files_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`datasets`, with a file in the place of the hub: its rows are typed columns."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in (HELLASWAG, {**HELLASWAG, "label": "2"})))

    def load(*_: Any, split: str) -> Any:
        return datasets.load_dataset("json", data_files={split: str(path)}, split=split, cache_dir=str(tmp_path / "c"))

    part, problems = hub.split(TASKS["hellaswag"], "train", load=load)
    assert not problems
    assert [each.right for each in part.questions] == [0, 2]
    assert part.questions[0] == question(TASKS["hellaswag"], 0, HELLASWAG)
    assert dataclasses.asdict(part.questions[0])["row"]["activity_label"] == "Running"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImportError("no datasets"), "pip install 'trackhub-ml[hub]'"),
        (ConnectionError("Couldn't reach it\nmore"), "cannot be loaded from https://hf.example: Couldn't reach it"),
    ],
)
def test_without_the_library_or_the_net_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    """And nothing else."""

    def load(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setenv("HF_ENDPOINT", "https://hf.example")
    _, [problem] = hub.split(TASKS["boolq"], "train", load=load)
    assert words in problem
    assert "\n" not in problem


def test_a_hub_that_cannot_be_reached_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library tries for half a minute; the other splits would not come either."""
    asked: list[str] = []

    def load(*_: Any, split: str) -> Any:
        asked.append(split)
        raise ConnectionError("Couldn't reach it")

    monkeypatch.setattr(hub, "_load", load)
    _, problems = sources.read(TASKS["openbookqa"], Path("nowhere"), source="hub")
    assert asked == ["train"]
    assert len(problems) == 1


def test_the_hub_is_asked_for_the_splits_that_have_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """PIQA's test labels are secret: validation serves as test."""
    asked: list[str] = []

    def load(*_: Any, split: str) -> Any:
        asked.append(split)
        return [PIQA]

    monkeypatch.setattr(hub, "_load", load)
    found, problems = sources.read(TASKS["piqa"], Path("nowhere"), source="hub")
    assert (asked, problems, found.using_validation_as_test) == (["train", "validation"], [], True)
    assert str(found.test_file) == "hub:baber/piqa/validation"
