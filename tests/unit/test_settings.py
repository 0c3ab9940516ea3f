"""Which trackers, with which options, and who wins."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import trackhub
from trackhub import ConfigError
from trackhub.delivery.verdict import check_trackers
from trackhub.settings import parse_tracker_options, select
from trackhub.variables import KNOWN


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A config file that names swanlab and csv."""
    path = tmp_path / "trackhub.yaml"
    path.write_text("trackers:\n  swanlab: {mode: offline, work-dir: /file}\n  csv: {}\n")
    monkeypatch.setenv("TRACKHUB_CONFIG", str(path))
    return path


def test_without_any_word_it_is_csv() -> None:
    assert select().names == ("csv",)


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("swanlab,csv", ("swanlab", "csv")),
        (" csv , jsonl,,csv", ("csv", "jsonl")),
        (["csv", "jsonl"], ("csv", "jsonl")),
        ({"csv": {}, "jsonl": None}, ("csv", "jsonl")),
        ("none", ()),
        ("", ()),
        ([], ()),
    ],
    ids=repr,
)
def test_names_come_in_many_shapes(given: Any, names: tuple[str, ...]) -> None:
    assert select(given).names == names


@pytest.mark.usefixtures("config")
def test_the_argument_wins_over_the_environment_and_the_environment_over_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert select().names == ("swanlab", "csv")
    monkeypatch.setenv("TRACKHUB_TRACKERS", "jsonl")
    assert select().names == ("jsonl",)
    assert select("csv").names == ("csv",)


@pytest.mark.usefixtures("config")
def test_options_of_all_layers_come_together_and_the_nearer_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert select().options["swanlab"] == {"mode": "offline", "work_dir": "/file"}
    monkeypatch.setenv("TRACKHUB_SWANLAB_MODE", "cloud")
    monkeypatch.setenv("TRACKHUB_SWANLAB_API_KEY", "k")
    assert select().options["swanlab"] == {"mode": "cloud", "work_dir": "/file", "api_key": "k"}
    chosen = {"swanlab": {"mode": "local"}}
    assert select(chosen).options["swanlab"] == {"mode": "local", "work_dir": "/file", "api_key": "k"}
    explicit = {"swanlab": {"mode": "disabled"}}
    assert select(chosen, explicit).options["swanlab"]["mode"] == "disabled"


def test_names_with_other_characters_have_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_MY_TRACKER_PATH", "x")
    assert select("my-tracker").options == {"my-tracker": {"path": "x"}}


@pytest.mark.parametrize(
    "content", ["[1", "- a\n- b", "trackers: 7", "trackers: {csv: 7}", "trackers: [7]", b"\xff\xfe\x00bad"]
)
def test_a_config_file_that_is_wrong_is_a_mistake_with_a_name(config: Path, content: str | bytes) -> None:
    config.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError):
        select()


def test_a_config_file_that_is_not_there_is_named(config: Path) -> None:
    config.unlink()
    with pytest.raises(ConfigError, match=str(config)):
        select()


@pytest.mark.parametrize("wrong", [7, [7], {"csv": 7}, {7: {}}, object()], ids=lambda wrong: repr(wrong)[:9])
def test_trackers_of_a_wrong_shape_are_a_mistake(wrong: Any) -> None:
    with pytest.raises(ConfigError):
        select(wrong)


def test_options_for_trackers_that_were_not_chosen_are_all_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        select("csv", {"jsonl": {"a": 1}, "mlflow": {"b": 2}})
    assert [("jsonl" in problem, "mlflow" in problem) for problem in caught.value.problems] == [
        (True, False),
        (False, True),
    ]


def test_options_of_the_command_line_are_taken_apart() -> None:
    given = ["mlflow.tracking-uri=http://h/?a=b", "csv.x=", "mlflow.y=1.5"]
    assert parse_tracker_options(given) == {"mlflow": {"tracking_uri": "http://h/?a=b", "y": "1.5"}, "csv": {"x": ""}}


def test_options_of_the_command_line_that_do_not_read_so_are_all_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_tracker_options(["csv", "csv.x", "=1", "jsonl.a=1"])
    assert len(caught.value.problems) == 3


def test_everything_wrong_with_options_is_told_at_once() -> None:
    problems = check_trackers("csv,jsonl", {"csv": {"nope": 1, "neither": 2}, "jsonl": {"nor": 3}})
    assert [word in problem for problem, word in zip(problems, ("nope", "neither", "nor"), strict=True)] == [True] * 3
    assert "trackhub trackers csv" in problems[0]


def test_what_is_right_has_no_problems() -> None:
    assert check_trackers("csv,jsonl") == []


def test_a_wrong_name_does_not_hide_wrong_options_of_others() -> None:
    problems = "\n".join(check_trackers("cvs,jsonl", {"jsonl": {"nor": 3}, "mlfow": {"a": 1}}))
    for words in ("no tracker 'cvs'", "option 'nor'", "options for tracker 'mlfow'"):
        assert words in problems
    with pytest.raises(ConfigError) as caught:
        trackhub.start(
            trackers="cvs",
            options={"mlfow": {}},
            config="lr=1",
            best={"a": "up"},
            delivery="soon",  # type: ignore[arg-type]
        )
    assert len(caught.value.problems) == 5


def test_a_misspelt_variable_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Options of installed trackers, and of the run's own, are no misspellings."""
    for name in ("TRACKHUB_TRACKER", "TRACKHUB_SWANLAB_PROJECT", "TRACKHUB_RUNSDIR"):
        monkeypatch.setenv(name, "csv")
    for _ in range(2):
        trackhub.start(trackers="none").finish()
    told = [line for line in capsys.readouterr().err.splitlines() if "environment variable" in line]
    assert told == [
        "trackhub: the environment variable TRACKHUB_RUNSDIR means nothing to trackhub."
        " Did you mean 'TRACKHUB_RUNS_DIR'?",
        "trackhub: the environment variable TRACKHUB_TRACKER means nothing to trackhub."
        " Did you mean 'TRACKHUB_TRACKERS'?",
    ]


def test_every_variable_that_is_read_is_known() -> None:
    sources = Path(trackhub.__file__).parent.rglob("*.py")
    named = {name for path in sources for name in re.findall(r"""["']TRACKHUB_([A-Z_]+)["']""", path.read_text())}
    assert {f"TRACKHUB_{name}" for name in named} == KNOWN


@pytest.mark.parametrize("given", ["an hour", "-1", "nan"])
def test_a_time_that_is_none_is_told_before_a_run_is_made(
    given: str, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKHUB_LINGER", given)
    with pytest.raises(trackhub.ConfigError, match="TRACKHUB_LINGER"):
        trackhub.start(trackers="none")
    assert not runs.exists()
