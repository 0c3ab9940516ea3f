"""Printed lines become messages where that is asked for, and printing stays what it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import trackhub
from trackhub.events import Message
from trackhub.journal import read


def messages(path: Path) -> list[tuple[str, str]]:
    return [(event.text, event.source) for event in read(path) if isinstance(event, Message)]


def test_nothing_is_taken_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    with trackhub.start(trackers="none") as run:
        print("hello")
    assert messages(run.path) == []


def test_printed_lines_are_messages_and_are_printed_still(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with trackhub.start(trackers="none", console=True) as run:
        print("one", 2)
        print("to err", file=sys.stderr)
        sys.stdout.write("in two ")
        sys.stdout.writelines(["parts\n", "\n", "last, without a newline"])
        run.log_message("mine")
    assert (sys.stdout, sys.stderr) == before
    assert messages(run.path) == [
        ("one 2", "stdout"),
        ("to err", "stderr"),
        ("in two parts", "stdout"),
        ("mine", ""),
        ("last, without a newline", "stdout"),
    ]
    shown = capsys.readouterr()
    assert shown.out == "one 2\nin two parts\n\nlast, without a newline"
    assert "to err\n" in shown.err


def test_the_environment_asks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKHUB_CONSOLE", "1")
    with trackhub.start(trackers="none") as run:
        print("hello")
    with trackhub.start(trackers="none", console=False) as other:
        print("hello")
    assert messages(run.path) == [("hello", "stdout")]
    assert messages(other.path) == []


def test_of_a_progress_bar_the_last_state_counts() -> None:
    with trackhub.start(trackers="none", console=True) as run:
        for done in range(100):
            sys.stderr.write(f"\rstep {done}")
        sys.stderr.write("\n")
    assert messages(run.path) == [("step 99", "stderr")]


def test_a_credential_that_is_printed_stays_out_of_the_journal() -> None:
    with trackhub.start(trackers="none", console=True) as run:
        print("export HF_TOKEN=hf_abcdefghijklmnopqrstuvwxyz012345")
    assert b"hf_abcdefghij" not in b"".join(path.read_bytes() for path in run.path.rglob("*.jsonl"))


def test_what_trackhub_says_while_it_takes_a_line_makes_no_circle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")
    run = trackhub.start(trackers="none", console=True)
    run.log_metrics({"bad": "text"})
    print("after")
    run.finish()
    texts = [text for text, _ in messages(run.path)]
    assert texts[-1] == "after"
    assert sum("bad" in text for text in texts) == 1


def test_a_very_long_line_is_cut() -> None:
    with trackhub.start(trackers="none", console=True) as run:
        print("x" * 200_000)
    ((text, _),) = messages(run.path)
    assert text == "x" * 10_000
