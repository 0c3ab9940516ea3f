"""What is checked before a model loads, and what is recorded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from trackhub_trainer import quiet
from trackhub_trainer.preparing import Job, prepare
from trackhub_trainer.request import read


def job(tmp_path: Path, text: str) -> Job:
    """The job that a configuration file asks for."""
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return prepare(read(["--config", str(path)]))


def test_options_of_trackers_are_recorded_wherever_they_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mapping, or in the environment: a run can be repeated from its config.yaml."""
    monkeypatch.setenv("TRACKHUB_SWANLAB_MODE", "offline")
    recorded = job(tmp_path, "trackers: {swanlab: {}, csv: {}}\n").record()
    assert recorded["trackers"] == "swanlab,csv"
    assert recorded["tracker_opt"] == {"swanlab": {"mode": "offline"}}


def test_a_redacted_key_is_not_used_as_a_key(tmp_path: Path) -> None:
    """The config.yaml of a run holds none; the environment has it."""
    text = "trackers: swanlab,csv\ntracker_opt: {swanlab: {api_key: '[redacted]', mode: offline}}\n"
    assert job(tmp_path, text).options == {"swanlab": {"mode": "offline"}}


def test_the_log_holds_no_credential(tmp_path: Path) -> None:
    """Neither in settings nor in a traceback."""
    import logging

    key = "sk-" + "a1B2c3D4e5F6g7H8i9J0" * 2
    record = logging.LogRecord("x", logging.INFO, "", 0, "settings: %s", ({"api_key": "s3cretw0rd99"},), None)
    assert "s3cretw0rd99" not in quiet.Discreet("%(message)s").format(record)
    try:
        raise ValueError(f"refused with {key}")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), sys.exc_info())
    text = quiet.Discreet("%(message)s").format(record)
    assert "refused with" in text
    assert key not in text


QUIET = """
import logging, sys, warnings
from pathlib import Path
from trackhub_trainer import quiet
waiting = quiet.hush()
logging.getLogger("early").info("before there is a file")
warnings.warn("careful")
quiet.write_to(Path(sys.argv[1]), waiting)
logging.getLogger("late").info("after")
"""


def test_a_log_that_cannot_be_written_puts_no_traceback_on_the_terminal() -> None:
    """/dev/full is a full disk: the training's own message is what counts."""
    done = subprocess.run([sys.executable, "-c", QUIET, "/dev/full"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_libraries_say_before_there_is_a_log_is_in_it(tmp_path: Path) -> None:
    """In order, and not on the terminal."""
    path = tmp_path / "logs" / "training.log"
    done = subprocess.run([sys.executable, "-c", QUIET, str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = path.read_text()
    assert 0 < log.index("before there is a file") < log.index("careful") < log.index("after")
