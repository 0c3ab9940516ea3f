"""``.env`` in the working folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from trackhub_trainer import dotenv_file, several
from trackhub_trainer.preparing import prepare
from trackhub_trainer.request import read
from trainer_help import line, write_lines


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file goes; the environment is a copy."""
    monkeypatch.setattr(os, "environ", {**os.environ, "ALREADY": "there"})
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".env"


def test_it_sets_what_is_not_set_and_overrides_nothing(file: Path) -> None:
    file.write_text("# mine\nexport EXPERIMENT_NAME='from the file'\nALREADY=other\nSWANLAB_API_KEY=k3y\nEMPTY\n")
    assert dotenv_file.read() == []
    assert os.environ["EXPERIMENT_NAME"] == "from the file"
    assert os.environ["ALREADY"] == "there"
    assert os.environ["SWANLAB_API_KEY"] == "k3y"
    assert "EMPTY" not in os.environ


def test_a_broken_line_is_told_and_costs_no_other(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("GOOD=1\n= what\nALSO=2\n")
    assert dotenv_file.read() == []
    assert (os.environ["GOOD"], os.environ["ALSO"]) == ("1", "2")
    assert capsys.readouterr().err == "trackhub: .env, line 2 is left out: it does not read NAME=VALUE\n"


def test_a_file_that_is_no_text_is_a_problem(file: Path) -> None:
    file.write_bytes(b"A=\xff\xfe\n")
    [problem] = dotenv_file.read()
    assert problem.startswith(".env cannot be read: ")


def test_no_file_is_no_problem(file: Path) -> None:
    before = dict(os.environ)
    assert dotenv_file.read() == []
    assert dict(os.environ) == before


def test_the_name_is_given_or_that_of_the_environment_or_of_the_data_set(file: Path) -> None:
    """`experiment.name` and `experiment.description` of a traditional file are the run's name and notes."""
    assert prepare(read(["--trackers", "none"])).run_name == "sample_lora"
    os.environ["EXPERIMENT_NAME"] = "from-environment"
    assert prepare(read(["--trackers", "none"])).run_name == "from-environment"
    settings = file.with_name("settings.yaml")
    settings.write_text("experiment: {name: from-file, description: a try, tags: [a, b]}\ntrackers: none\n")
    job = prepare(read(["--config", str(settings)]))
    assert (job.run_name, job.config.notes, job.config.tags) == ("from-file", "a try", ("a", "b"))
    assert prepare(read(["--config", str(settings), "--name", "given"])).run_name == "given"


def test_several_data_sets_have_a_name_each(file: Path) -> None:
    os.environ["EXPERIMENT_NAME"] = "mine"
    write_lines(file.parent / "data", "arc-easy", train=[line(dataset="arc-easy")], test=[line(dataset="arc-easy")])
    request = read(["--dataset", "sample,arc-easy", "--data-dir", "data", "--trackers", "none"])
    assert [job.run_name for job in several.prepared(request)] == ["mine_sample", "mine_arc-easy"]
