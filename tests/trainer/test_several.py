"""Several data sets in one command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from trackhub_trainer import several
from trackhub_trainer.request import read
from trainer_help import line, write_lines

from trackhub.errors import ConfigError
from trackhub.journal.state import state
from trackhub.layout import RunFolder

BREAKS = """
import sys
from trackhub_trainer import cli, final_model
save = final_model.save
def sometimes(model, tokenizer, base, folder, *rest):
    if "arc-easy" in str(folder):
        raise OSError(28, "No space left on device")
    save(model, tokenizer, base, folder, *rest)
final_model.save = sometimes
cli.main(sys.argv[1:])
"""


def test_one_after_another_in_one_group_and_one_that_fails_stops_no_other(tmp_path: Path, runs: Path) -> None:
    """Each its own run with a log of its own; exit code 1 at the end, and a table of all."""
    for name in ("arc-challenge", "arc-easy"):
        write_lines(tmp_path / "data", name, train=[line(dataset=name)] * 4, test=[line(dataset=name)])
    arguments = ["--dataset", "arc-challenge,arc-easy,sample", "--data-dir", "data", "--max-steps", "2"]
    arguments += ["--eval-limit", "4", "--cloze", "--trackers", "csv", "--save-steps", "0"]
    done = subprocess.run(
        [sys.executable, "-c", BREAKS, *arguments],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 1, done.stderr
    found = {path.name.partition("_")[0]: RunFolder(path) for path in runs.iterdir() if (path / "journal").is_dir()}
    assert {name: state(folder).status for name, folder in found.items()} == {
        "arc-challenge": "finished",
        "arc-easy": "failed",
        "sample": "finished",
    }
    settings = [yaml.safe_load((folder.path / "config.yaml").read_text()) for folder in found.values()]
    assert sorted(each["config"]["dataset"] for each in settings) == ["arc-challenge", "arc-easy", "sample"]
    [group] = {each["config"]["group"] for each in settings}
    assert group.startswith("arc-challenge+arc-easy+sample_20")
    journals = [(folder.path / "journal" / "rank-0.jsonl").read_text() for folder in found.values()]
    assert all(json.loads(journal.splitlines()[1])["group"] == group for journal in journals)
    log = (found["sample"].logs / "training.log").read_text()
    assert "No space left" not in log
    assert "step 2/2" in log
    for name in ("test/cloze_acc", "test/cloze_acc_norm"):
        assert all(journal.count(f'"{name}"') == 2 for journal in journals), "before and after"
    assert "2 of 3 data sets trained" in done.stdout
    assert "arc-easy failed: OSError: [Errno 28] No space left on device" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_all_data_sets_are_checked_before_the_first_is_trained(tmp_path: Path) -> None:
    """Every problem once, also where all have it."""
    write_lines(tmp_path, "arc-easy", train=[line(target="F")], test=[line()])
    arguments = ["--dataset", "sample,arc-easy,piqa,sample", "--data-dir", str(tmp_path), "--base-model", "./nowhere"]
    with pytest.raises(ConfigError) as caught:
        several.prepared(read([*arguments, "--trackers", "csv"]))
    problems = caught.value.problems
    assert len(problems) == 3, problems
    for words in ("./nowhere", "line 1: `target` 'F'", f"no folder {tmp_path / 'piqa'}"):
        assert sum(words in problem for problem in problems) == 1


def test_what_belongs_to_one_data_set_is_not_given_for_several() -> None:
    """A file cannot be the training data of all of them."""
    arguments = ["--dataset", "sample,arc-easy", "--train-file", "a.jsonl", "--devices", "2", "--trackers", "none"]
    with pytest.raises(ConfigError) as caught:
        several.prepared(read(arguments))
    assert "--train-file: with one data set only, and --dataset names 2" in caught.value.problems
    assert any(problem.startswith("--devices and --num-nodes above 1:") for problem in caught.value.problems)


@pytest.mark.parametrize("text", ["sample,sample", "sample,", ",sample"])
def test_one_data_set_named_twice_is_one(text: str) -> None:
    """As with trackers."""
    [job] = several.prepared(read(["--dataset", text, "--trackers", "none"]))
    assert (job.config.dataset, job.config.group) == ("sample", None)


def test_one_data_set_has_no_group_unless_it_is_given() -> None:
    """A name, as trackers know it."""
    [job] = several.prepared(read(["--trackers", "none"]))
    assert job.config.group is None
    [job] = several.prepared(read(["--trackers", "none", "--group", "mine"]))
    assert job.record()["group"] == "mine"
