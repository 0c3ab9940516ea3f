"""The installed trackers, and every way a plugin can be wrong: each with a reason, none in the way of another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import trackhub
from trackhub import ConfigError
from trackhub.delivery.verdict import check_trackers
from trackhub.registry import check_names, installed
from trackhub.testing import install, on_path

PLUGINS = {
    "good": "class T:\n    @hookimpl\n    def log_metrics(self, metrics, step): ...",
    "raising": "raise RuntimeError('no import today')",
    "exiting": "import sys; sys.exit(3)",
    "syntax": "def (",
    "absent": "import a_package_that_is_not_there",
    "misspelt": "class T:\n    @hookimpl\n    def log_metric(self, metrics): ...",
    "nearly": "class T:\n    @hookimpl\n    def flush(self): ...\n    def log_metric(self, metrics): ...",
    "bare": "class T:\n    def log_metrics(self, metrics, step): ...",
    "argument": "class T:\n    @hookimpl\n    def log_metrics(self, metrics, epoch): ...",
    "defaulted": "class T:\n    @hookimpl\n    def log_metrics(self, metrics, step=None): ...",
    "keyword": "class T:\n    @hookimpl\n    def log_metrics(self, metrics, *, step): ...",
    "nosdk": "class T:\n    needs = 'no_such_sdk'\n    extra = 'fancy'\n    @hookimpl\n    def flush(self): ...",
    "deepsdk": "class T:\n    needs = 'no_such_sdk.deep.below'\n    @hookimpl\n    def flush(self): ...",
    "unsaid": "import msgspec\nfrom typing import Annotated\nfrom trackhub.plugin import Options\n"
    "class O(Options):\n    pin: Annotated[str, msgspec.Meta(extra={'secret': True})] = ''\n"
    "class T:\n    Options = O\n    def __init__(self, options): ...\n    @hookimpl\n    def flush(self): ...",
    "limits": "class T:\n    limits = {'key_length': 3}\n    @hookimpl\n    def flush(self): ...",
    "options": "class T:\n    Options = dict\n    @hookimpl\n    def flush(self): ...",
    "noclass": "T = 7",
    "empty": "class Other: ...",
    "printing": "print('hello from a plugin')\nclass T:\n    @hookimpl\n    def flush(self): ...",
}
REASONS = {
    "raising": "plugin_raising.py, line 2)",
    "exiting": "SystemExit: 3",
    "syntax": "SyntaxError",
    "absent": "a_package_that_is_not_there",
    "misspelt": "log_metric",
    "nearly": "log_metric looks like the hook log_metrics",
    "bare": "log_metrics lacks @hookimpl",
    "argument": "epoch",
    "defaulted": "never gets step",
    "keyword": "step",
    "nosdk": "pip install 'trackhub-ml[fancy]'",
    "deepsdk": "no_such_sdk",
    "unsaid": "the option pin is secret, and its name does not say so",
    "limits": "not as a tracker has to be",
    "options": "not as a tracker has to be",
    "empty": "AttributeError",
}


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All of `PLUGINS` are installed."""
    folder = install(tmp_path / "plugins", **{name: f"plugin_{name}:T" for name in PLUGINS})
    for name, code in PLUGINS.items():
        (folder / f"plugin_{name}.py").write_text(f"from trackhub.plugin import hookimpl\n{code}\n")
    monkeypatch.setenv("PYTHONPATH", on_path(folder))
    monkeypatch.syspath_prepend(str(folder))
    return folder


def listing(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "trackhub", "trackers", *arguments, "--json"], capture_output=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.usefixtures("broken")
def test_everything_that_is_wrong_with_a_plugin_is_its_reason_and_stops_no_other() -> None:
    found = {one["name"]: one for one in listing()}
    assert set(PLUGINS) | {"csv", "jsonl", "swanlab"} <= set(found)
    for name, words in REASONS.items():
        assert words in found[name]["reason"], (name, found[name]["reason"])
        assert not found[name]["ready"]
    ready = {name for name, one in found.items() if one["ready"]}
    assert {"good", "printing", "csv", "jsonl", "swanlab"} <= ready
    assert ready.isdisjoint(REASONS)
    assert found["good"]["hooks"] == ["log_metrics"]


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("name", ["misspelt", "bare", "raising", "defaulted", "nosdk"])
def test_a_check_before_the_start_tells_the_same(name: str) -> None:
    (problem,) = check_trackers(name)
    assert REASONS[name] in problem


@pytest.mark.usefixtures("broken")
def test_a_broken_tracker_is_parked_with_its_reason_and_the_others_are_complete() -> None:
    with trackhub.start(trackers="csv,misspelt,raising,exiting", finish_timeout=20) as run:
        run.log_metrics({"a": 1.0}, step=0)
    receipts = {receipt.tracker: receipt for receipt in run.receipts()}
    assert receipts["csv"].complete
    for name in ("misspelt", "raising", "exiting"):
        assert receipts[name].state == "parked", receipts[name]
        assert REASONS[name] in receipts[name].reason


def test_an_unknown_name_stops_at_once_with_the_list_a_close_match_and_a_command(runs: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        trackhub.start(trackers="cvs,swanlap")
    first, second = caught.value.problems
    assert "Did you mean 'csv'?" in first
    assert "Did you mean 'swanlab'?" in second
    assert "Installed: csv, jsonl" in first
    assert "pip install trackhub-cvs" in first
    assert not runs.exists()


def test_a_name_that_two_distributions_claim_is_refused_and_both_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        monkeypatch.syspath_prepend(
            str(install(tmp_path / f"p{number}", distribution=f"plugin-{number}", both=f"module_{number}:T"))
        )
    (problem,) = check_names(("both",))
    assert "plugin-1 and plugin-2" in problem
    assert "pip uninstall" in problem
    with pytest.raises(ConfigError, match="plugin-1 and plugin-2"):
        trackhub.start(trackers="both")


def test_a_stranger_that_claims_a_first_party_name_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(install(tmp_path / "p", distribution="stranger", csv="stranger:T")))
    assert "stranger and trackhub-ml" in check_names(("csv",))[0]


def test_reading_the_list_imports_no_plugin() -> None:
    code = (
        "import sys\nfrom trackhub.registry import installed\nassert {'csv', 'jsonl', 'swanlab'} <= set(installed())\n"
        "print([name for name in sys.modules if name.startswith('trackhub_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_first_party_trackers_are_found_by_entry_point_like_any_other() -> None:
    for name in ("csv", "jsonl", "swanlab"):
        (entry,) = installed()[name]
        assert entry.dist is not None
        assert entry.dist.name == "trackhub-ml"
