"""What the core does for every tracker: limits, upload policies, files that stay, parameters, best values."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from trackhub.delivery.mapping import Mapper
from trackhub.delivery.receipt import receipts
from trackhub.journal.params import environment, params
from trackhub.journal.summary import summary
from trackhub.plugin import Limits, Media, Options, Rejected, Row, RunInfo, Uploads, hookimpl
from trackhub.testing import Carried, SomeJournal


class Keeper:
    """Writes down what it is given."""

    card = "For tests."

    @hookimpl
    def on_run_start(self, run: RunInfo) -> None:
        self.run = run
        self.note("best", run.best)

    def note(self, *words: Any) -> None:
        with (self.run.path / "kept.txt").open("a") as file:
            print(*words, file=file)


class Files(Keeper):
    """Takes everything, as its upload policy says."""

    Options = Uploads
    limits = Limits(media=frozenset({"image"}), key_forbidden=" ", steps=(0, 100))

    def __init__(self, options: Uploads) -> None:
        self.options = options

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        self.note("rows", *(row.step for row in rows))

    @hookimpl
    def log_media(self, media: Media, step: int) -> None:
        self.note("media", media.media_kind, media.key, step, Path(media.path).exists())

    @hookimpl
    def save_checkpoint(self, checkpoint: Any) -> None:
        self.note("checkpoint", checkpoint.step, Path(checkpoint.path).exists())

    @hookimpl
    def log_artifact(self, artifact: Any) -> None:
        self.note("artifact", artifact.name, Path(artifact.path).exists())

    @hookimpl
    def on_run_end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        self.note("end", status, summary)


class Flat(Keeper):
    """Takes parameters as flat, short texts."""

    Options = Options
    limits = Limits(flat_params=True, param_length=20, key_forbidden="@", key_length=40)

    def __init__(self, options: Options) -> None:
        self.options = options

    @hookimpl
    def log_metrics(self, metrics: dict[str, float]) -> None:
        self.note("row", metrics)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        self.note("params", params)
        self.note("whole", sorted(self.run.params))


@pytest.fixture
def journal(tmp_path: Path) -> SomeJournal:
    return SomeJournal(tmp_path / "runs" / "run", best={"val/loss": "min"})


def kept(journal: SomeJournal) -> list[str]:
    return (journal.folder.path / "kept.txt").read_text().splitlines()


def deliver(journal: SomeJournal, tracker: type, tmp_path: Path, **options: Any) -> Carried:
    carried = Carried(tracker, options, tmp_path / "scratch")
    carried.deliver(journal.folder)
    return carried


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [
        ("none", []),
        ("last", ["artifact notes.txt True", "checkpoint 3 True"]),
        ("best", ["artifact notes.txt True", "checkpoint 2 True"]),
        ("all", ["checkpoint 1 True", "checkpoint 2 True", "artifact notes.txt True", "checkpoint 3 True"]),
    ],
)
def test_checkpoints_and_artifacts_are_handed_over_by_the_policy_of_the_tracker(
    policy: str, wanted: list[str], journal: SomeJournal, tmp_path: Path
) -> None:
    journal.checkpoint(1, **{"val/loss": 0.5})
    journal.checkpoint(2, **{"val/loss": 0.25})
    journal.artifact("notes.txt", b"notes")
    journal.checkpoint(3, **{"val/loss": math.nan})
    journal.end()
    carried = deliver(journal, Files, tmp_path, upload=policy)
    assert [line for line in kept(journal) if line.startswith(("checkpoint", "artifact"))] == wanted
    (receipt,) = receipts(journal.folder, (carried.name,))
    assert receipt.complete
    assert receipt.delivered == len(wanted)
    assert sum(receipt.left.values()) == 4 - len(wanted)


def test_best_without_a_metric_that_says_so_is_the_last(tmp_path: Path) -> None:
    journal = SomeJournal(tmp_path / "runs" / "run")
    journal.checkpoint(1, loss=0.1)
    journal.checkpoint(2, loss=0.2)
    journal.end()
    deliver(journal, Files, tmp_path, upload="best")
    assert "checkpoint 2 True" in kept(journal)


def test_media_of_a_kind_that_is_not_taken_stay_and_are_told_and_keys_are_mapped(
    journal: SomeJournal, tmp_path: Path
) -> None:
    journal.media("image", "a cat", 7)
    journal.media("audio", "a sound", 7)
    journal.media("image", "late", 101)
    journal.end()
    carried = deliver(journal, Files, tmp_path)
    assert [line for line in kept(journal) if line.startswith("media")] == ["media image a%20cat 7 True"]
    (receipt,) = receipts(journal.folder, (carried.name,))
    assert (receipt.left, receipt.delivered, receipt.rejected) == ({"audio": 1}, 1, 1)
    assert receipt.mappings == {"a cat": "a%20cat"}
    assert "takes steps from 0 to 100, not 101" in receipt.rejections[0]


def test_rows_at_steps_that_the_backend_cannot_hold_are_set_aside(journal: SomeJournal, tmp_path: Path) -> None:
    for step in (-1, 0, 100, 101):
        journal.row({"a": 1.0}, step)
    journal.end()
    carried = deliver(journal, Files, tmp_path)
    assert "rows 0 100" in kept(journal)
    assert carried.cursor(journal.folder).safe.rejected == 2


def test_a_file_that_is_gone_is_set_aside(journal: SomeJournal, tmp_path: Path) -> None:
    journal.checkpoint(1).unlink()
    journal.row({"a": 1.0}, 5)
    journal.end()
    carried = deliver(journal, Files, tmp_path, upload="all")
    (rejection,) = carried.cursor(journal.folder).safe.rejections
    assert rejection.reason == "checkpoints/checkpoint-step-001.ckpt is gone"
    assert "rows 5" in kept(journal)


def test_flat_parameters_are_mapped_cut_and_told_and_the_whole_is_at_hand(journal: SomeJournal, tmp_path: Path) -> None:
    journal.params({"lora": {"r": 16, "targets": ["q", "v"]}, "a@b": "x", "long": "y" * 21, "none": None, "f": 0.1})
    journal.params({"later": {}})
    journal.end()
    carried = deliver(journal, Flat, tmp_path)
    flat = {"lora/r": "16", "lora/targets": '["q","v"]', "a%40b": "x", "long": "y" * 20, "none": "null", "f": "0.1"}
    assert kept(journal)[1:] == [
        f"params {flat}",
        f"whole {['a@b', 'f', 'later', 'long', 'lora', 'none']}",
        "params {'later': '{}'}",
        f"whole {['a@b', 'f', 'later', 'long', 'lora', 'none']}",
    ]
    assert carried.cursor(journal.folder).safe.mapped == {
        "a@b": "a%40b",
        "parameter long": "cut to 20 of 21 characters",
    }


def test_a_parameter_that_is_given_nested_and_by_its_path_is_told() -> None:
    flat, changed = Mapper(Limits(flat_params=True)).params({"a": {"b": 1}, "a/b": 2})
    assert flat == {"a/b": "2"}
    assert "given twice" in changed["parameter a/b"]


def test_another_sign_stands_for_the_percent_where_the_backend_refuses_that() -> None:
    mapper = Mapper(Limits(key_forbidden=r"[^\w:]", escape=":", key_length=30))
    assert [mapper.key(key) for key in ("a@b", "a:b", "a:40b", "100%", "", "é@")] == [
        "a:40b",
        "a:b",
        "a:3A40b",
        "100:25",
        ":empty",
        "é:40",
    ]
    assert mapper.key("x" * 40).startswith("x" * 20 + "::")
    assert len(mapper.key("x" * 40)) == 30


def test_the_best_value_and_its_step_are_in_the_summary_where_a_direction_is_stated(
    journal: SomeJournal, tmp_path: Path
) -> None:
    for step, value in enumerate([0.5, math.nan, 0.25, 0.25, 0.75]):
        journal.row({"val/loss": value, "other": value}, step)
    journal.end()
    found = summary(journal.folder)
    assert found["val/loss"] == {"last": 0.75, "min": 0.25, "max": 0.75, "best": 0.25, "best_step": 2}
    assert "best" not in found["other"]
    deliver(journal, Files, tmp_path)
    assert "best {'val/loss': 'min'}" in kept(journal)
    assert "'best_step': 2" in kept(journal)[-1]


def test_parameters_and_environment_are_read_from_all_files(journal: SomeJournal) -> None:
    journal.params({"a": 1, "b": 2})
    journal.end()
    journal.resume()
    journal.params({"b": 3})
    journal.end()
    assert params(journal.folder) == {"a": 1, "b": 3}
    assert environment(journal.folder) == {}


class Ordinals(Keeper):
    """Refuses a row the first time, as a backend with a passing whim does, and writes down the ordinals."""

    idempotence = "known_step"

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        whim = self.run.path / "whim"
        if any(row.step == 3 for row in rows) and not whim.exists():
            if len(rows) == 1:
                whim.touch()
            raise Rejected("a whim")
        self.note("rows", *(f"{row.step}:{row.ordinal}" for row in rows))

    @hookimpl
    def log_message(self) -> None: ...


def test_a_row_has_the_same_ordinal_whether_another_one_is_refused_or_not(journal: SomeJournal, tmp_path: Path) -> None:
    journal.message("first")
    for step in range(6):
        journal.row({"a": 1.0}, step)
    journal.end()
    carried = deliver(journal, Ordinals, tmp_path)
    found = " ".join(line for line in kept(journal) if line.startswith("rows")).replace("rows ", "").split()
    assert found == ["0:2", "1:3", "2:4", "4:6", "5:7"]
    journal.folder.cursor(carried.name).unlink()
    (journal.folder.path / "kept.txt").unlink()
    carried.deliver(journal.folder)
    assert "rows 0:2 1:3 2:4 3:5 4:6 5:7" in kept(journal)


def test_files_that_are_chosen_at_the_end_do_not_move_the_cursor_back(journal: SomeJournal, tmp_path: Path) -> None:
    journal.checkpoint(1)
    journal.artifact("gone.txt", b"").unlink()
    for step in range(5):
        journal.row({"a": 1.0}, step)
    journal.end()
    carried = deliver(journal, Files, tmp_path, upload="last")
    (receipt,) = receipts(journal.folder, (carried.name,))
    assert (receipt.state, receipt.lag, receipt.delivered, receipt.rejected) == ("delivered", 0, 6, 1)
