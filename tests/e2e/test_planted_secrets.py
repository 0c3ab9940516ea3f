"""No planted credential is anywhere on disk after a run with six trackers, and nothing harmless was taken for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from planted import CREDENTIALS, ENV, HARMLESS, NAMED, OPTION, pieces

from trackhub.delivery.receipt import receipts
from trackhub.journal import read
from trackhub.journal.params import params
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

VARIABLES = ("WANDB_API_KEY", "SWANLAB_API_KEY", "HF_TOKEN", "OPENAI_API_KEY", "MLFLOW_TRACKING_PASSWORD")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The one run of these tests."""
    home = tmp_path_factory.mktemp("planted")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(("TRACKHUB_", "WANDB_"))}
    environment |= dict.fromkeys(VARIABLES, ENV)
    environment |= {"TRACKHUB_RUNS_DIR": str(home / "runs"), "TRACKHUB_LINGER": "60", "TRACKHUB_SYSTEM_EVERY": "0"}
    arguments = [text for text, _ in CREDENTIALS.values()]
    named = [part for name, value in NAMED.items() for part in (f"--{name}", value, f"--{name}={value}")]
    command = [sys.executable, str(Path(__file__).with_name("planted.py")), str(home), *arguments, *named]
    done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=200, check=False)
    assert "RuntimeError: it failed" in done.stderr, done.stderr[-3000:]
    (folder,) = all_runs(home / "runs")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file by its name, and all names as one more."""
    paths = [path for path in folder.rglob("*") if path.name != "tracker.py"]
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}
    return files | {"(names)": "\n".join(map(str, paths)).encode()}


def test_no_credential_is_in_any_file_or_name(planted: RunFolder) -> None:
    found = contents(planted.path.parent)
    assert any("mlflow.db" in name for name in found)
    assert any(name.endswith(".wandb") for name in found)
    assert any(name.endswith(".swanlab") for name in found)
    assert sum(name.endswith("delivery.log") for name in found) == 1
    leaks = {
        (kind, name) for name, content in found.items() for kind, piece in pieces().items() if piece.encode() in content
    }
    assert not leaks, "\n".join(f"{kind}: {name}" for kind, name in sorted(leaks))


def test_what_was_planted_did_arrive_without_its_credential(planted: RunFolder) -> None:
    """Else the test above would say nothing."""
    folder = planted
    assert state(folder).status == "failed"
    assert "it failed with" in state(folder).reason
    kinds = [type(event).__name__ for event in read(folder)]
    for kind, least in (("Metrics", 28), ("Message", 100), ("Media", 30), ("Artifact", 28), ("Rejected", 50)):
        assert kinds.count(kind) >= least, kind
    done = {receipt.tracker: receipt for receipt in receipts(folder)}
    assert all(receipt.complete for name, receipt in done.items() if name != "key"), done


def test_a_tracker_gets_its_key_and_no_file_does(planted: RunFolder) -> None:
    assert (planted.path / "got.txt").read_text() == sha256((OPTION + "Bearer " + OPTION).encode()).hexdigest()
    (key,) = (receipt for receipt in receipts(planted) if receipt.tracker == "key")
    assert "refused with" in json.dumps(key.rejections, default=str)
    log = planted.delivery_log.read_text()
    assert "key is [redacted]\n" in log
    assert "retrying https://host/?key=[redacted]\n" in log
    assert "ValueError: invalid literal for int() with base 10" in log


def test_what_only_resembles_a_credential_stays(planted: RunFolder) -> None:
    found = params(planted)
    assert found["harmless"] == found["harmless again"] == HARMLESS
