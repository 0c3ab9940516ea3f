"""Settings from the command line and from YAML, and what is said about mistakes in them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from trackhub_trainer.config import FIELDS, GROUPS, setting
from trackhub_trainer.request import Request, read
from trackhub_trainer.values import parse


def from_yaml(tmp_path: Path, text: str, *arguments: str) -> Request:
    """The request of a file with this text."""
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return read(["--config", str(path), *arguments])


def test_every_setting_is_described_and_stands_in_one_group_of_the_help() -> None:
    """The help shows all settings."""
    grouped = [name for names in GROUPS.values() for name in names]
    assert sorted(grouped) == sorted(FIELDS)
    assert all(entry.metadata["help"] for entry in FIELDS.values())


def test_the_help_imports_no_torch() -> None:
    """It comes at once."""
    code = (
        "import sys; from trackhub_trainer.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "heavy = {'torch', 'lightning', 'transformers', 'peft', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "--save-steps" in done.stdout


@pytest.mark.parametrize("words", [["--max-steps", "7"], ["--max_steps", "7"], ["--max_steps=7"], ["--max-steps=7"]])
def test_dashes_and_underscores_are_the_same(words: list[str]) -> None:
    """In the names of options."""
    assert read(words).config.max_steps == 7


def test_underscores_in_values_stay() -> None:
    """Only names are rewritten."""
    assert read(["--data-dir=my_data", "--lora-targets", "q_proj,v_proj"]).config.lora_targets == ("q_proj", "v_proj")
    assert read(["--data-dir=my_data"]).config.data_dir == "my_data"


@pytest.mark.parametrize(("raw", "value"), [("true", True), ("No", False), (True, True), (0, False), ("on", True)])
def test_booleans_are_read_as_people_write_them(raw: object, value: bool) -> None:
    """And anything else is a mistake."""

    @dataclass
    class Some:
        it: bool = setting(True, "it")

    assert parse(fields(Some)[0], raw) is value
    with pytest.raises(ValueError, match="must be true or false"):
        parse(fields(Some)[0], "perhaps")


def test_all_mistakes_are_collected_with_close_matches() -> None:
    """One look is enough to mend them."""
    problems = "\n".join(read(["--max-stpes", "3", "--lr", "abc", "--seed", "1.5", "--batching", "packed"]).problems)
    assert "--max-stpes: no such option. Close matches: --max-steps" in problems
    assert "--lr abc: must be a number" in problems
    assert "--seed 1.5: must be a whole number" in problems
    assert "--batching packed: is none of flat, padded" in problems


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--max-steps", "0", "at least 1"),
        ("--batch-size", "-1", "at least 1"),
        ("--lr", "0", "above 0"),
        ("--lr", "nan", "finite"),
        ("--lora-dropout", "1", "below 1"),
        ("--finish-timeout", "-1", "at least 0"),
        ("--dataset", "", "must be a text"),
        ("--lora-targets", ",", "needs a name"),
    ],
)
def test_limits(option: str, value: str, reason: str) -> None:
    """A value out of bounds names the option, the value and the bound."""
    [problem] = read([option, value]).problems
    assert problem.startswith(option)
    assert reason in problem


def test_yaml_flat(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-5 as a string: here it is a number."""
    config = from_yaml(tmp_path, "max-steps: 9\nlr: 1e-5\nlora_r: 4\nlora_targets: [q_proj]\n").config
    assert (config.max_steps, config.lr, config.lora_r, config.lora_targets) == (9, 1e-5, 4, ("q_proj",))


def test_yaml_in_sections_also_in_the_traditional_names(tmp_path: Path) -> None:
    """Sections may be named as one likes."""
    text = """
    training: {per_device_train_batch_size: 4, stage1: {steps: 6, learning_rate: 2e-4}, stage2: {steps: 4}}
    lora: {r: 8, lora_alpha: 16, dropout: 0.0, target_modules: [q_proj]}
    data: {seed: 3}
    """
    request = from_yaml(tmp_path, text)
    config = request.config
    assert not request.problems
    assert (config.batch_size, config.stage1_steps, config.stage2_steps, config.lr) == (4, 6, 4, 2e-4)
    assert (config.lora_r, config.lora_alpha, config.lora_dropout, config.seed) == (8, 16.0, 0.0, 3)


def test_unknown_keys_in_yaml_get_a_suggestion(tmp_path: Path) -> None:
    """A typing mistake is not passed over."""
    [problem] = from_yaml(tmp_path, "training: {max_setps: 9}\n").problems
    assert "training.max_setps" in problem
    assert "max_steps" in problem


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("b: 1\na: [", "no valid YAML: line 2, column 5: "),
        ("- 1\n", "holds no settings"),
        ("lr: [1]\n", "must be a number"),
    ],
)
def test_broken_yaml(tmp_path: Path, text: str, reason: str) -> None:
    """What is wrong with it, in words."""
    [problem] = from_yaml(tmp_path, text).problems
    assert reason in problem


def test_a_missing_file_is_a_problem_among_others() -> None:
    """The rest is checked too."""
    problems = read(["--config", "nowhere.yaml", "--max-steps", "0"]).problems
    assert len(problems) == 2
    assert "nowhere.yaml cannot be read: No such file" in problems[0]


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    """And a mistake in a value that does not count is none."""
    request = from_yaml(tmp_path, "max_steps: x\nseed: 5\n", "--max-steps", "3")
    assert (request.config.max_steps, request.config.seed, request.problems) == (3, 5, ())


RUN = """
run: {name: sample_lora_x}
config:
  max_steps: 125
  save_steps: 50
  stage1_steps: 75
  stage2_steps: 50
  lr: 0.001
  lr2: 0.0001
  trackers: csv
  tracker_opt: {csv: {}}
  chosen: [max_steps, save_steps, stage1_steps, stage2_steps, lr2]
  using_validation_as_test: false
environment: {host: somewhere}
"""


def test_the_config_of_a_run_is_a_configuration(tmp_path: Path) -> None:
    """Everything as it was."""
    request = from_yaml(tmp_path, RUN)
    assert not request.problems
    assert (request.config.max_steps, request.config.stage1_steps, request.config.lr2) == (125, 75, 1e-4)


def test_what_a_run_chose_by_itself_is_chosen_anew_for_other_settings(tmp_path: Path) -> None:
    """Fewer steps with the config of a longer run are no contradiction."""
    config = from_yaml(tmp_path, RUN, "--max-steps", "10", "--lr", "0.01").config
    assert (config.max_steps, config.save_steps, config.stage1_steps, config.lr2) == (10, None, None, None)
