"""`trainer eval`, on models that are no run, and every mistake in asking for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from trackhub_trainer import evaluating
from trackhub_trainer.eval_options import read
from trackhub_trainer.model import TINY
from trainer_help import line, write_lines

import trackhub
from trackhub.errors import ConfigError


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """The JSON of `trainer eval`."""
    evaluating.run(read([*arguments, "--json"]), Console())
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def problems(*arguments: str) -> tuple[str, ...]:
    """What is wrong with a call."""
    with pytest.raises(ConfigError) as caught:
        evaluating.run(read(list(arguments)), Console())
    return caught.value.problems


def test_a_model_by_itself_on_several_data_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each number apart, with its count and standard error; skipped lines are told."""
    folder = write_lines(tmp_path, "arc-easy", test=[line(), "{", line(target="A", target_idx=0), line()])
    names = {"dataset": "winogrande", "input": "Ann hit Eve, so _ cried.", "options": ["Ann", "Eve"]}
    write_lines(tmp_path, "winogrande", validation=[line(**names, target="2")] * 2)
    shutil.copytree(TINY, tmp_path / "model")
    arguments = ("--dataset", "arc-easy,winogrande", "--data-dir", str(folder), "--skip-bad-lines")
    found = measured(capsys, str(tmp_path / "model"), *arguments)
    assert [(row["dataset"], row["metric"], row["questions"]) for row in found] == [
        ("arc-easy", "accuracy", 3),
        ("arc-easy", "cloze_acc", 3),
        ("arc-easy", "cloze_acc_norm", 3),
        ("winogrande", "accuracy", 2),
        ("winogrande", "cloze_acc", 2),
    ]
    assert [row["skipped_lines"] for row in found] == [1, 1, 1, 0, 0]
    for row in found:
        share = row["right"] / row["questions"]
        assert row["value"] == share
        assert row["standard_error"] == pytest.approx((share * (1 - share) / row["questions"]) ** 0.5)
    assert found[0]["file"].endswith("arc-easy_test_formatted.jsonl")


def test_the_table_says_what_is_not_lm_evals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what it writes is the JSON of the same numbers."""
    row = line(input=f"Question: is it\nPassage: {'x' * 500}", options=["False", "True"], target="True")
    own = tmp_path / "mine.jsonl"
    own.write_text("".join(json.dumps({**row, "task_type": "yes_no_question", "id": n}) + "\n" for n in "ab"))
    out = tmp_path / "out.json"
    console = Console(width=300)
    with console.capture() as captured:
        evaluating.run(read(["tiny", "--dataset", str(own), "--limit", "1", "--out", str(out)]), console)
    shown = captured.get()
    assert "not quite lm-eval's for 1: the passage is cut at 500 characters" in shown
    told = json.loads(out.read_text())
    assert [each["questions"] for each in told] == [1, 1]
    assert "--out" in problems("tiny", "--dataset", str(own), "--out", str(out))[0], "nothing is overwritten"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "name a run, a checkpoint or a model"),
        (["tiny"], "--dataset names what tiny is to be measured on"),
        (["tiny", "--dataset", "sampel"], "Close matches: sample"),
        (["tiny", "--dataset", "absent.jsonl"], "absent.jsonl cannot be read"),
        (["tiny", "--dataset", "boolq", "--data-dir", "nowhere"], "no folder nowhere/boolq"),
        (["tiny", "--dataset", "sample", "--measure", "own,letters"], "--measure letters: there are own and cloze"),
        (["tiny", "--dataset", "sample", "--limit", "-1"], "--limit -1: must be at least 0"),
        (["tiny", "--dataset", "sample", "--out", "/nowhere/x.json"], "there is no folder /nowhere"),
        (["./nothing", "--dataset", "sample"], "./nothing: no such folder"),
        (["nothing.ckpt", "--dataset", "sample"], "nothing.ckpt: no such file"),
        (["tiny", "--lmit", "3"], "--lmit: no such option. Close matches: --limit"),
    ],
)
def test_mistakes(arguments: list[str], words: str) -> None:
    """One line each, before a model is loaded."""
    assert any(words in problem for problem in problems(*arguments))


def test_a_broken_checkpoint_runs_nothing(tmp_path: Path) -> None:
    """It is no checkpoint, and says so."""
    (tmp_path / "x.ckpt").write_bytes(b"\x80\x04cposix\nsystem\n(S'true'\ntR.")
    [problem] = problems(str(tmp_path / "x.ckpt"), "--dataset", "sample", "--limit", "2")
    assert "x.ckpt" in problem


def test_a_run_without_a_final_model_names_a_checkpoint_instead(tmp_path: Path, runs: Path) -> None:
    """It may still be training."""
    with trackhub.start(name="young", trackers="none", config={"dataset": "sample"}) as run:
        assert problems(str(run.path)) == (f"the run {run.path.name} has no final_model",)
        (run.path / "checkpoints").mkdir()
        last = run.path / "checkpoints" / "checkpoint-step-009.ckpt"
        for file in (last.with_name("checkpoint-step-008.ckpt"), last):
            file.touch()
        [problem] = problems(run.path.name, "--runs-dir", str(runs))
        assert problem.endswith(f"has no final_model; measure a checkpoint: {last}")


def test_a_sentence_without_a_blank_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    """With its line, and the way around."""
    bad = line(input="No blank.", options=["Ann", "Eve"], target="2")
    folder = write_lines(tmp_path, "winogrande", validation=[bad])
    [problem] = problems("tiny", "--dataset", "winogrande", "--data-dir", str(folder))
    assert "line 1: `input` holds no _ for the name (--measure own does without)" in problem
