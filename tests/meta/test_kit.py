"""The conformance kit finds what it is there for: one sick tracker for each test, and a good one that passes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SICK_TRACKERS = Path(__file__).with_name("sick_trackers.py")
FOUND_BY = {
    "LosesPoints": "test_every_point_arrives_as_it_was_logged",
    "RoundsTimes": "test_every_point_arrives_as_it_was_logged",
    "Narrow": "test_every_number_arrives",
    "FoldsKeys": "test_every_key_arrives_apart_from_all_others",
    "LosesParams": "test_parameters_arrive_whole",
    "MixesMedia": "test_media_are_stored_or_stay_in_the_run_folder",
    "SaysFinished": "test_the_true_status_arrives[failed]",
    "NeverCutsBack": "test_killed_twice_in_a_row",
    "DisownsItsFile": "test_killed_twice_in_a_row",
    "FlushesNothing": "test_after_a_kill_each_point_is_there_once[flush-2-True]",
    "ForgetsRun": "test_what_the_tracker_remembers_is_on_disk_before_the_first_row",
    "KeepsWhatWentBack": "test_a_resumed_run_is_one_run[back]",
    "Overwrites": "test_it_leaves_the_files_of_others_alone",
    "LeavesHome": "test_it_keeps_its_files_in_the_runs_folder",
    "WritesSecret": "test_no_secret_of_its_options_reaches_the_disk",
    "NamesSecretBadly": "test_its_hooks_are_hooks",
    "SaysNothingOfAnOption": "test_it_has_a_card_and_its_options_are_described",
    "Claims": "test_what_it_declares_is_valid",
}


def verdicts(nodes: list[str], folder: Path) -> dict[str, str]:
    """PASSED, FAILED or ERROR of each test, by class and test; run by a pytest of its own."""
    command = [sys.executable, "-m", "pytest", "-v", "--tb=no", "-p", "no:cacheprovider", "-p", "no:randomly", "-c"]
    (folder / "empty.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [*command, str(folder / "empty.ini"), *(f"{SICK_TRACKERS}::{node}" for node in nodes)],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    return dict(re.findall(r"::(Test\S+) (PASSED|FAILED|ERROR|SKIPPED)", done.stdout)) or {
        "": done.stdout + done.stderr
    }


@pytest.mark.timeout(600)
def test_each_test_of_the_kit_finds_the_tracker_that_is_sick_in_its_way(tmp_path: Path) -> None:
    nodes = [f"Test{name}::{test}" for name, test in FOUND_BY.items()]
    assert verdicts(nodes, tmp_path) == dict.fromkeys(nodes, "FAILED")


@pytest.mark.timeout(600)
def test_a_good_tracker_passes_the_same_tests(tmp_path: Path) -> None:
    nodes = [f"TestGood::{test}" for test in dict.fromkeys(FOUND_BY.values())]
    assert verdicts(nodes, tmp_path) == dict.fromkeys(nodes, "PASSED")
