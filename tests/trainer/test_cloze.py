"""Cloze accuracy is lm-evaluation-harness's, question by question."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from lm_eval_numbers import NUMBERS
from lm_eval_rows import MAKERS, rows
from trackhub_trainer import cloze_accuracy, model, sources
from trackhub_trainer.batches import COLLATE, flat
from trackhub_trainer.cloze import Cloze, ask
from trackhub_trainer.data import Question, question
from trackhub_trainer.encoding import Encoder
from trackhub_trainer.tasks import TASKS
from trainer_help import line

TOLERANCE = 1e-3
"""Of a log-likelihood, in nats."""


@pytest.fixture(scope="module")
def base() -> Any:
    """The tiny model as it ships."""
    return model.load("tiny")[0]


def asked(name: str, found: list[dict[str, Any]]) -> list[Cloze]:
    """The rows of a data set as they are asked."""
    return [ask(TASKS[name], question(TASKS[name], number, row)) for number, row in enumerate(found)]


@pytest.mark.parametrize("batching", ["flat", "padded"])
@pytest.mark.parametrize("name", list(MAKERS))
def test_every_likelihood_is_lm_evals_and_so_is_every_verdict(
    base: Any, tokenizer: Any, name: str, batching: str
) -> None:
    """Long contexts, blanks at the seam, marks and digits as labels among them; the numbers are lm-eval's own."""
    wanted = json.loads(NUMBERS.read_text())[name]
    questions = asked(name, rows(name))
    compare(base, tokenizer, questions, wanted, batching)


def compare(base: Any, tokenizer: Any, questions: list[Cloze], wanted: list[Any], batching: str = "flat") -> None:
    encoder = Encoder(tokenizer, 512)
    found = cloze_accuracy.likelihoods(base, encoder, questions, COLLATE[batching], lambda _: None)
    assert len(found) == len(wanted) == len(questions)
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours == pytest.approx(theirs["likelihoods"], abs=TOLERANCE)
    measured = cloze_accuracy.measure(base, encoder, questions, COLLATE[batching], lambda _: None)
    assert measured.acc.right == sum(each["acc"] for each in wanted)
    norms = [each["acc_norm"] for each in wanted]
    assert (measured.acc_norm is None) is (norms[0] is None)
    if measured.acc_norm is not None:
        assert measured.acc_norm.right == sum(norms)
    assert measured.lost == {}


@pytest.mark.skipif(find_spec("lm_eval") is None, reason="pip install 'trackhub-ml[lm-eval]'")
def test_the_recorded_numbers_are_what_lm_eval_says_now(tmp_path: Path) -> None:
    """Within the same tolerance; its version may have moved on."""
    code = (
        "import json, sys; from lm_eval_numbers import ask; from lm_eval_rows import MAKERS, rows\n"
        "from trackhub_trainer.model import TINY\n"
        "json.dump(ask({name: rows(name) for name in MAKERS}, str(TINY)), open(sys.argv[1], 'w'))"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "now")], check=True, env=environment, timeout=250)
    now = json.loads((tmp_path / "now").read_text())
    recorded = json.loads(NUMBERS.read_text())
    assert now.keys() == recorded.keys()
    for name, numbers in recorded.items():
        for before, after in zip(numbers, now[name], strict=True):
            assert after["likelihoods"] == pytest.approx(before["likelihoods"], abs=TOLERANCE)
            assert (after["acc"], after["acc_norm"]) == (before["acc"], before["acc_norm"])


def test_a_line_is_asked_as_the_row_that_it_comes_from(shared: Path) -> None:
    """Nothing of ARC is lost in its lines."""
    folder = shared / "data"
    raw, _ = sources.file(TASKS["arc-challenge"], next((folder / "raw").glob("*.jsonl")))
    lines, _ = sources.file(
        TASKS["arc-challenge"], folder / "cs" / "arc-challenge" / "arc-challenge_validation_formatted.jsonl"
    )
    for ours, original in zip(lines.questions, raw.questions, strict=False):
        found = ask(TASKS["arc-challenge"], ours)
        assert found == ask(TASKS["arc-challenge"], original)
        assert found.lost == ""


def test_only_the_label_is_taken_off_an_option() -> None:
    """A colon in its text stays."""
    row = line(options=["A: ratio 3:2", "B:x", "C:  y", "(D): z"], target="A", target_idx=0)
    found = ask(TASKS["arc-easy"], question(TASKS["arc-easy"], 0, row))
    assert [end for _, end in found.pairs] == [" ratio 3:2", " x", "  y", " z"]
    own = line(options=["the ratio: 3", "none"], target=None, target_idx=0)
    assert ask(TASKS["sample"], question(TASKS["sample"], 0, own)).pairs[0][1] == " the ratio: 3"


@pytest.mark.parametrize(("length", "lost"), [(499, ""), (500, "the passage is cut at 500 characters"), (501, "")])
def test_a_passage_that_a_line_may_have_cut_is_told(length: int, lost: str) -> None:
    """Lines that keep it whole are as good as rows."""
    row = line(input=f"Question: is it\nPassage: {'x' * length}", options=["False", "True"], target="True")
    found = ask(TASKS["boolq"], question(TASKS["boolq"], 0, row))
    assert found.lost == lost
    assert found.pairs[1] == (f"{'x' * length}\nQuestion: is it?\nAnswer:", " yes")


def test_a_hellaswag_line_has_no_activity_and_says_so(base: Any, tokenizer: Any) -> None:
    """The table tells how many questions that concerns."""
    row = line(input="A man runs. he", options=["falls.", "flies.", "sings.", "melts."], target=None, target_idx=2)
    found = ask(TASKS["hellaswag"], question(TASKS["hellaswag"], 0, row))
    measured = cloze_accuracy.measure(base, Encoder(tokenizer, 512), [found, found], flat, lambda _: None)
    assert measured.lost == {"the activity is not in the lines": 2}


def test_a_sentence_without_a_blank_cannot_be_asked() -> None:
    """Only the cloze needs it."""
    row = Question(0, "", ("1", "2"), 0, line(input="No blank.", options=["a", "b"]))
    with pytest.raises(ValueError, match=re.escape("`input` holds no _")):
        ask(TASKS["winogrande"], row)
