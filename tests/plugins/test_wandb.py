"""The W&B tracker against the real SDK: what it stored is read back from the `.wandb` files."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import re
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from trackhub_wandb import WandbTracker
from wandb_reader import config, content, folders, history, media, of_kind, points, summary, text_of

import trackhub
from trackhub import making
from trackhub.delivery.facade import Tracker
from trackhub.delivery.receipt import receipts
from trackhub.errors import ConfigError
from trackhub.events import Artifact, Checkpoint, Media, Message
from trackhub.journal import read
from trackhub.layout import RunFolder, all_runs
from trackhub.plugin import Rebuild, Rejected, Row
from trackhub.testing import SomeRun, open_tracker
from trackhub.testing.processes import MARK, marked

START = 1_767_225_601.123456
NUMBERS = [0.0, -0.0, 0.1, math.nan, math.inf, -math.inf, 1e308, 5e-324, 2**53, -(2**60), 3, 1.7976931348623157e308]
KEYS = [
    "loss",
    "train/loss",
    "val/a b",
    "深度/学习",
    "🙂",
    "a" * 600,
    "two\nlines",
    "/",
    "//x",
    ".",
    "a.b",
    "a..b",
    "nul\0",
]
KEYS += [
    "trackhub/x",
    "trackhub.step",
    "*",
    "a*",
    "-x-",
    "%41",
    "\\.",
    "$x",
    "\u2028",
    "x/_y",
    "global_step",
    "system/cpu",
]


def rows(steps: range, key: str = "train/loss") -> list[Row]:
    return [Row({key: step / 7}, step, START + step * 0.001, step + 1) for step in steps]


def expected(steps: range, key: str = "train/loss") -> list[tuple[str, int, float, float]]:
    return [(key, step, step / 7, START + step * 0.001) for step in steps]


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path)


@pytest.fixture(autouse=True)
def sdk_is_ended(nobody_survives: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the SDK changes in the test's own process is changed back, and its process ended."""
    before = dict(os.environ)
    monkeypatch.setattr(sys, "exit", sys.exit)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    if "trackhub_wandb.sdk" in sys.modules:
        sys.modules["trackhub_wandb.sdk"].kill_process()
    for name in [name for name in os.environ if name.startswith("WANDB_") and name not in before]:
        del os.environ[name]


def sealed_state(tracker: Tracker, status: str = "finished", found: dict[str, Any] | None = None) -> dict[str, Any]:
    tracker.on_run_end(status, found or {})
    sealed, state = tracker.flush()
    assert sealed
    return json.loads(json.dumps(state))


def cores() -> list[psutil.Process]:
    found = [child for child in psutil.Process().children() if child.name() == "wandb-core"]
    return [child for child in found if child.status() != psutil.STATUS_ZOMBIE]


def test_every_key_step_value_and_time_is_read_back(run: SomeRun) -> None:
    given = [Row(dict.fromkeys(KEYS, value), 10**9 * n, START + n / 3, n + 1) for n, value in enumerate(NUMBERS)]
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(given[:5])
    tracker.log_rows(given[5:])
    state = sealed_state(tracker)
    wanted = [(key, row.step, float(row.metrics[key]), row.timestamp) for row in given for key in sorted(row.metrics)]
    assert repr(points(run.path)) == repr(wanted)
    again = open_tracker(WandbTracker, run, state)
    for key in KEYS:
        assert repr(again.read_back(key)) == repr([point[1:] for point in wanted if point[0] == key])
    assert again.read_back("never logged") == again.read_back("_timestamp2") == []


def test_wandbs_own_step_is_the_ordinal_and_the_x_axis_is_ours(run: SomeRun) -> None:
    tracker = open_tracker(WandbTracker, run)
    steps = [5, 5, -1, 2**63 - 1, -(2**63), 0]
    tracker.log_rows([Row({"x": float(n)}, step, START, 10 + 2 * n) for n, step in enumerate(steps)])
    sealed_state(tracker)
    assert [(step, value) for _, step, value, _ in points(run.path)] == [*zip(steps, map(float, range(6)), strict=True)]
    assert [row["_step"] for row in history(run.path)] == ["10", "12", "14", "16", "18", "20"]
    assert {key for row in history(run.path) for key in row} == {
        "_step",
        "_runtime",
        "_timestamp",
        "trackhub/step",
        "x",
    }
    (metric,) = of_kind(run.path, "metric")
    assert (metric.glob_name, metric.step_metric) == ("*", "trackhub/step")


@pytest.mark.parametrize(
    "key", ["_x", "_", "_step", "_timestamp", "_runtime", "_wandb", "trackhub/step", "trackhub/status"]
)
def test_keys_that_wandb_hides_or_overwrites_are_mapped(key: str) -> None:
    forbidden = re.compile(WandbTracker.limits.key_forbidden)
    mapped = forbidden.sub(lambda match: "".join(f"%{ord(char):02X}" for char in match[0]), key)
    assert mapped != key and not forbidden.search(mapped)


@pytest.mark.parametrize("key", KEYS)
def test_other_keys_stay_as_they_are(key: str) -> None:
    assert not re.search(WandbTracker.limits.key_forbidden, key)


def test_the_run_says_who_it_is(run: SomeRun) -> None:
    run.project, run.tags, run.notes = "my/project", ("a", "", "a", "b" * 70), "why"
    run.group, run.job_type = "sweep", "train"
    tracker = open_tracker(WandbTracker, run, entity="us")
    assert run.remembered == {"run_id": run.id}
    sealed_state(tracker)
    (record,) = of_kind(run.path, "run")
    assert (record.run_id, record.display_name, record.project, record.entity) == (run.id, run.name, "my-project", "us")
    assert (list(record.tags), record.notes, record.run_group, record.job_type) == (
        ["a", "b" * 64],
        "why",
        "sweep",
        "train",
    )
    assert run.remembered == {"run_id": run.id, "fragment": folders(run.path)[0].name}


def test_the_configuration_is_kept_as_given(run: SomeRun) -> None:
    run.params = {
        "lora": {"r": 16, "targets": ["q", "v"]},
        "-dash-": 1,
        "dash": 2,
        "model": "wandb-artifact://a/b:v0",
        "": 3,
    }
    tracker = open_tracker(WandbTracker, run)
    tracker.log_params(
        {"lr": 1e-4, "clip": math.inf, "odd": math.nan, "none": None, "_wandb": 5, "big": 2**70, "p": Path("x")}
    )
    tracker.log_params({"lr": 2e-4})
    sealed_state(tracker)
    later = {"lr": 2e-4, "clip": "Infinity", "odd": "NaN", "none": None, "%5Fwandb": 5, "big": 2**70, "p": "x"}
    assert config(run.path) == {**run.params, **later}


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("failed", 1), ("killed", 255)])
def test_the_true_status_is_stored(run: SomeRun, status: str, code: int) -> None:
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(rows(range(2)))
    sealed_state(tracker, status)
    (end,) = of_kind(run.path, "exit")
    assert end.exit_code == code
    assert summary(run.path)["trackhub/status"] == status


def test_the_summary_tells_last_and_best_values_of_the_whole_run(run: SomeRun) -> None:
    run.best = {"val/loss": "min", "acc": "max", "never": "min", "_x": "min", "a*b*": "max", "\ud800": "min"}
    tracker = open_tracker(WandbTracker, run, fragment_events=2)
    tracker.log_rows([Row({"val/loss": 0.25, "early": 7.0}, 0, START, 1), Row({"val/loss": math.nan}, 1, START, 2)])
    tracker.flush()
    tracker.log_rows([Row({"val/loss": 0.5, "acc": 0.75}, 2, START, 3)])
    loss = {"last": 0.5, "min": 0.25, "max": 0.5, "best": 0.25, "best_step": 0}
    acc = {"last": 0.75, "min": 0.75, "max": 0.75, "best": 0.75, "best_step": 2}
    odd = dict.fromkeys(("last", "min", "max", "best"), 1.0)
    sealed_state(
        tracker, found={"val/loss": loss, "acc": acc, "early": {"last": 7.0}, "_x": odd, "\ud800": odd, "": odd}
    )
    found = summary(run.path)
    assert (found["val/loss"], found["acc"]) == ({"min": 0.25, "last": 0.5}, {"max": 0.75, "last": 0.75})
    assert (found["early"], found["trackhub/status"]) == (7.0, "finished")
    assert not {"_x", "\ud800", ""} & set(found)
    named = {
        (metric.name, metric.summary.min, metric.summary.max) for metric in of_kind(run.path, "metric") if metric.name
    }
    assert named == {("val/loss", True, False), ("acc", False, True), ("never", True, False)}


def test_messages_are_lines_of_the_log_with_their_time(run: SomeRun) -> None:
    tracker = open_tracker(WandbTracker, run)
    tracker.log_message(Message(n=1, t=START, text="one\ntwo"))
    tracker.log_message(Message(n=2, t=START, text="hot 🙂", level="warning"))
    tracker.log_rows(rows(range(1)))
    tracker.log_message(Message(n=3, t=START + 60, text="", level="error"))
    sealed_state(tracker)
    assert [record.line for record in of_kind(run.path, "output_logger")] == [
        "2026-01-01T00:00:01Z one\ntwo\n",
        "2026-01-01T00:00:01Z warning: hot 🙂\n",
        "2026-01-01T00:01:01Z error: \n",
    ]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """One real file of each kind of media."""
    from PIL import Image

    made = {kind: tmp_path / name for kind, name in NAMES.items()}
    Image.new("RGB", (3, 2), "red").save(made["image"])
    Image.new("RGB", (3, 2), "blue").save(made["figure"])
    Image.new("P", (3, 2)).save(made["video"])
    with wave.open(str(made["audio"]), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\1" * 80)
    made["html"].write_text("<p>é</p>", encoding="utf-8")
    made["text"].write_text("a < b\n& 深 <pre>", encoding="utf-8")
    made["table"].write_text('{"columns": ["a", "b"], "data": [[1, "x"], [2.5, null], ["NaN", [1]]]}')
    made["histogram"].write_text('{"edges": [0, 0.5, 2], "counts": [3, 4]}')
    return made


NAMES = {"image": "i.png", "figure": "f.webp", "video": "v.gif", "audio": "a.wav", "html": "h.html"}
NAMES |= {"text": "t.txt", "table": "t.json", "histogram": "h.json"}


def medium(kind: str, path: Path, key: str = "", step: int = 3, **more: Any) -> Media:
    return Media(n=1, t=START + 0.5, key=key or f"val/{kind}", step=step, media_kind=kind, path=str(path), **more)


def test_every_kind_of_media_is_copied_and_named_in_a_row(run: SomeRun, files: dict[str, Path]) -> None:
    given = {kind: path.read_bytes() for kind, path in files.items()}
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(rows(range(2)))
    for kind, path in files.items():
        tracker.log_media(medium(kind, path, caption="a caption"))
        path.unlink()
    # The courier counts each medium, so the next row's ordinal is beyond them.
    tracker.log_rows([Row({"train/loss": 2 / 7}, 2, START + 0.002, 3 + len(files))])
    sealed_state(tracker)
    stored = {key: said for key, step, said in media(run.path) if step == 3}
    assert set(stored) == {f"val/{kind}" for kind in NAMES}
    for kind in ("image", "figure", "video", "audio", "html"):
        assert content(run.path, stored[f"val/{kind}"]) == given[kind]
    assert text_of(content(run.path, stored["val/text"])) == given["text"]
    table = json.loads(content(run.path, stored["val/table"]))
    assert {key: table[key] for key in ("columns", "data")} == json.loads(given["table"])
    assert stored["val/histogram"] == {"_type": "histogram", "values": [3, 4], "bins": [0, 0.5, 2]}
    assert {stored[f"val/{kind}"]["caption"] for kind in ("image", "figure", "video", "audio")} == {"a caption"}
    assert {float(row["_timestamp"]) for row in history(run.path) if "train/loss" not in row} == {START + 0.5}
    assert points(run.path) == expected(range(3))


@pytest.mark.parametrize("key", ["../../../x", "a" * 600, "深" * 200, "/etc/x", "a:b\0c", "."])
def test_the_key_of_a_medium_does_not_lead_out_of_the_folder(run: SomeRun, files: dict[str, Path], key: str) -> None:
    given = files["image"].read_bytes()
    before = {path for path in run.path.parent.parent.rglob("*") if run.path not in path.parents}
    tracker = open_tracker(WandbTracker, run)
    tracker.log_media(medium("image", files["image"], key))
    sealed_state(tracker)
    ((stored, _, said),) = media(run.path)
    assert (stored, content(run.path, said)) == (key, given)
    assert {path for path in run.path.parent.parent.rglob("*") if run.path not in path.parents} == before


def test_a_medium_that_wandb_does_not_take_is_refused_and_stores_nothing(run: SomeRun, tmp_path: Path) -> None:
    broken, many = tmp_path / "b.png", tmp_path / "h.json"
    broken.write_bytes(b"no picture")
    many.write_text(json.dumps({"edges": list(range(601)), "counts": [1] * 600}))
    tracker = open_tracker(WandbTracker, run)
    for kind, path in (("image", broken), ("image", tmp_path / "none.png"), ("video", broken), ("histogram", many)):
        with pytest.raises(Rejected, match="W&B takes no such"):
            tracker.log_media(medium(kind, path))
    sealed_state(tracker)
    assert history(run.path) == []


def test_checkpoints_and_artifacts_are_copied(run: SomeRun, tmp_path: Path) -> None:
    folder, file = tmp_path / "step-3", tmp_path / "data file.txt"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"123")
    (folder / "sub" / "b.bin").write_bytes(b"45")
    file.write_bytes(b"678")
    tracker = open_tracker(WandbTracker, run, upload="all")
    tracker.save_checkpoint(Checkpoint(n=1, t=START, step=3, path=str(folder), metrics={"loss": math.nan}))
    tracker.log_artifact(Artifact(n=2, t=START, name="data file", path=str(file), metadata={"rows": 3}))
    with pytest.raises(Rejected, match="is gone"):
        tracker.log_artifact(Artifact(n=3, t=START, name="x", path=str(tmp_path / "none")))
    shutil.rmtree(folder)
    file.write_bytes(b"overwritten")
    sealed_state(tracker)
    model, data = of_kind(run.path, "artifact")
    assert (model.type, model.name, data.type) == ("model", f"model-{run.id}", "dataset")
    assert re.fullmatch(rf"run-{run.id}-data-file-[0-9a-f]{{8}}", data.name)
    assert set(model.aliases) == {"step-3", "latest"}
    assert (json.loads(model.metadata), json.loads(data.metadata)) == ({"step": 3, "loss": "NaN"}, {"rows": 3})
    staged = {entry.path: Path(entry.local_path) for record in (model, data) for entry in record.manifest.contents}
    assert {path: copy.read_bytes() for path, copy in staged.items()} == {
        "a.bin": b"123",
        "sub/b.bin": b"45",
        "data file.txt": b"678",
    }
    assert all(folders(run.path)[0] in copy.parents and not copy.is_symlink() for copy in staged.values())


def test_flush_says_unsealed_but_readers_see_everything(run: SomeRun) -> None:
    tracker = open_tracker(WandbTracker, run)
    assert tracker.flush() == (True, {"mode": "offline", "sealed": {}, "ordinal": 0})
    tracker.log_rows(rows(range(5)))
    assert tracker.flush() == (False, None)
    assert tracker.read_back("train/loss") == [point[1:] for point in expected(range(5))]


def test_a_full_folder_is_sealed_and_the_next_one_goes_on(run: SomeRun) -> None:
    run.params = {"a": 1}
    tracker = open_tracker(WandbTracker, run, fragment_events=10)
    tracker.log_params({"b": 2})
    tracker.log_rows(rows(range(10)))
    sealed, state = tracker.flush()
    assert sealed and list(state["sealed"]) == [folders(run.path)[0].name]
    tracker.log_rows(rows(range(10, 15)))
    assert tracker.flush() == (False, None)
    assert len(sealed_state(tracker, "failed")["sealed"]) == len(folders(run.path)) == 2
    assert points(run.path) == expected(range(15))
    assert tracker.read_back("train/loss") == [point[1:] for point in expected(range(15))]
    assert {record.run_id for record in of_kind(run.path, "run")} == {run.id}
    assert [record.exit_code for record in of_kind(run.path, "exit")] == [0, 1]
    assert config(run.path) == {"a": 1, "b": 2}


def test_an_unfinished_folder_is_discarded_and_delivered_again(run: SomeRun) -> None:
    first = open_tracker(WandbTracker, run, fragment_events=10)
    first.log_rows(rows(range(10)))
    state = first.flush()[1]
    first.log_rows(rows(range(10, 17)))
    second = open_tracker(WandbTracker, run, state, fragment_events=100)
    second.log_rows(rows(range(10, 20)))
    sealed_state(second)
    assert points(run.path) == expected(range(20))


def test_a_folder_that_was_sealed_but_not_recorded_is_delivered_again(run: SomeRun) -> None:
    first = open_tracker(WandbTracker, run)
    first.log_rows(rows(range(5)))
    first.on_run_end("finished", {})
    second = open_tracker(WandbTracker, run, None)
    second.log_rows(rows(range(5)))
    sealed_state(second)
    assert points(run.path) == expected(range(5))


@pytest.mark.parametrize("damage", ["remove", "cut"])
def test_a_damaged_sealed_folder_is_rebuilt(run: SomeRun, damage: str) -> None:
    tracker = open_tracker(WandbTracker, run, fragment_events=5)
    for start in (0, 5):
        tracker.log_rows(rows(range(start, start + 5)))
        state = tracker.flush()[1]
    (path,) = folders(run.path)[0].glob("run-*.wandb")
    path.unlink() if damage == "remove" else os.truncate(path, path.stat().st_size - 3)
    with pytest.raises(Rebuild):
        open_tracker(WandbTracker, run, state)
    assert folders(run.path) == []


def test_a_rewind_discards_our_folders_and_no_others(run: SomeRun, tmp_path: Path) -> None:
    tracker = open_tracker(WandbTracker, run, fragment_events=5)
    tracker.log_rows(rows(range(5)))
    tracker.flush()
    tracker.log_rows(rows(range(5, 8)))
    ours = folders(run.path)
    others = {
        "offline-run-20250101_000000-else",
        f"offline-run-20250101_000000-{run.id}x",
        f"run-20250101_000000-{run.id}",
    }
    for name in others:
        (run.path / "wandb_logs" / "wandb" / name).mkdir()
    (tmp_path / "mine").mkdir()
    link = run.path / "wandb_logs" / "wandb" / f"offline-run-20250101_000000-{run.id}"
    link.symlink_to(tmp_path / "mine")
    with pytest.raises(Rebuild, match="step 3"):
        tracker.on_rewind(3)
    assert {path.name for path in link.parent.iterdir()} == {*others, link.name}
    assert len(ours) == 2 and (tmp_path / "mine").is_dir()
    link.unlink()
    for name in others:
        (link.parent / name).rmdir()
    tracker.on_run_start(run, None)
    tracker.log_rows(rows(range(4)))
    assert tracker.read_back("train/loss") == [point[1:] for point in expected(range(4))]


def test_opening_and_reading_changes_nothing(run: SomeRun) -> None:
    writer = open_tracker(WandbTracker, run)
    writer.log_rows(rows(range(5)))
    writer.read_back("train/loss")
    reader = open_tracker(WandbTracker, run)
    assert len(reader.read_back("train/loss")) == 5
    assert reader.flush()[0]
    writer.log_rows(rows(range(5, 8)))
    sealed_state(writer)
    assert points(run.path) == expected(range(8))


def test_a_resumed_run_goes_on_under_the_same_id(run: SomeRun) -> None:
    first = open_tracker(WandbTracker, run)
    first.log_rows(rows(range(3)))
    state = sealed_state(first, "killed")
    assert cores() == []
    second = open_tracker(WandbTracker, run, state)
    second.log_rows(rows(range(3, 6)))
    sealed_state(second)
    assert points(run.path) == expected(range(6))
    assert {record.run_id for record in of_kind(run.path, "run")} == {run.id}
    assert [record.exit_code for record in of_kind(run.path, "exit")] == [255, 0]


def test_a_file_that_lacks_rows_is_not_taken_for_sealed(run: SomeRun) -> None:
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(rows(range(5)))
    # W&B drops a row whose step it has; such rows never come from a courier.
    tracker.log_rows(rows(range(2)))
    with pytest.raises(OSError, match="should hold"):
        tracker.on_run_end("finished", {})


def test_the_sdks_process_is_as_polite_as_ours_and_gone_after_the_end(run: SomeRun) -> None:
    own = Path("/proc/self/autogroup")
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(rows(range(1)))
    (core,) = cores()
    if own.exists() and own.read_text():
        before = own.read_text().split()[-1]
        own.write_text("19")
        try:
            sys.modules["trackhub_wandb.sdk"].be_polite()
            assert Path(f"/proc/{core.pid}/autogroup").read_text().split()[-1] == "19"
        finally:
            own.write_text(before)
    sealed_state(tracker)
    assert not core.is_running() or core.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("there", [True, False])
def test_where_sessions_have_no_niceness_nothing_is_done(
    run: SomeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    tracker = open_tracker(WandbTracker, run)
    sdk = importlib.import_module("trackhub_wandb.sdk")
    # As in a container whose first process began no session: the file is there, and empty.
    monkeypatch.setattr(sdk, "AUTOGROUP", tmp_path / "autogroup")
    if there:
        (tmp_path / "autogroup").touch()
    tracker.log_rows(rows(range(1)))
    assert len(cores()) == 1
    sealed_state(tracker)


def test_a_lost_process_of_the_sdk_is_an_outage_and_the_folder_is_written_again(run: SomeRun) -> None:
    tracker = open_tracker(WandbTracker, run)
    tracker.log_rows(rows(range(5)))
    cores()[0].kill()
    with pytest.raises(OSError, match=r".+"):
        for _ in range(50):
            tracker.log_rows(rows(range(5, 8)))
            time.sleep(0.05)
    again = open_tracker(WandbTracker, run)
    again.log_rows(rows(range(8)))
    sealed_state(again)
    assert points(run.path) == expected(range(8))


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"project": "a/b"}, "project='a/b'"),
        ({"project": ""}, "project=''"),
        ({"mode": "live"}, "'live'"),
        ({"fragment_events": 0}, ">= 1"),
        ({"upload": "some"}, "'some'"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        making.make("wandb", WandbTracker, given)


def test_online_where_there_is_a_key_or_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def rules(**options: Any) -> tuple[str, str]:
        plugin = WandbTracker(WandbTracker.Options(**options))
        return plugin.idempotence, plugin.rewinds

    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    offline, online = ("rebuild", "replace"), ("known_step", "append")
    assert (rules(), rules(mode="offline")) == (offline, offline)
    with pytest.raises(ConfigError, match="export WANDB_API_KEY"):
        making.make("wandb", WandbTracker, {"mode": "online"})
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    assert (rules(), rules(mode="online")) == (offline, online)
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert (rules(), rules(mode="online"), rules(mode="offline")) == (online, online, offline)


TRAINING = """
import os, sys, time, trackhub
run = trackhub.start(trackers={"wandb": {"fragment_events": 300}}, name="e2e", config={"lr": 1e-4}, best={"a": "min"})
print("started", flush=True)
for step in range(3000):
    run.log_metrics({"a": step / 7, "b": float(step)}, step=step)
    time.sleep(0.001)
run.log_message("done")
run.finish()
"""


def start_training(tmp_path: Path) -> subprocess.Popen[str]:
    """A training in a process of its own, with an empty home and working folder."""
    for name in ("home", "cwd"):
        (tmp_path / name).mkdir()
    environment = os.environ | {"HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", TRAINING]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path / "cwd")


def sync(run: Path, *options: str) -> int:
    """`trackhub sync` as a user calls it; its exit code."""
    command = [sys.executable, "-m", "trackhub", "sync", str(run), *options]
    return subprocess.run(command, capture_output=True, check=False).returncode


def of_journal(path: Path) -> list[tuple[str, int, float, float]]:
    found = [event for event in read(path) if type(event).__name__ == "Metrics" and "a" in event.metrics]
    return [(key, row.step, row.metrics[key], row.t) for row in found for key in sorted(row.metrics)]


def kill_couriers() -> int:
    """SIGKILL for the couriers of this test; how many there were."""
    found = [one for one in marked(os.environ[MARK]) if "trackhub.delivery.courier_main" in one.cmdline()]
    for courier in found:
        courier.kill()
    return len(found)


@pytest.mark.alone
def test_couriers_that_are_killed_leave_each_point_once_and_no_process(tmp_path: Path, runs: Path) -> None:
    killed = 0
    seen: set[Path] = set()
    here: set[Path] = set()
    with start_training(tmp_path) as training:
        while training.poll() is None:
            time.sleep(0.05)
            with contextlib.suppress(FileNotFoundError):  # a folder is discarded while we look
                here = {path for run in all_runs(runs) for path in folders(run.path)}
            # The first two times that a folder is begun: in the middle of writing it.
            if here - seen and killed < 2:
                killed += kill_couriers()
            seen |= here
    assert (training.returncode, killed > 0) == (0, True)
    (folder,) = all_runs(runs)
    assert sync(folder.path) == 0
    assert [point for point in points(folder.path) if point[0] in "ab"] == of_journal(folder.path)
    assert len(of_journal(folder.path)) == 6000
    assert summary(folder.path)["trackhub/status"] == "finished"
    assert (summary(folder.path)["a"], config(folder.path)) == ({"min": 0.0, "last": 2999 / 7}, {"lr": 1e-4})
    assert [*(tmp_path / "home").rglob("*"), *(tmp_path / "cwd").rglob("*")] == []
    (receipt,) = receipts(folder)
    assert receipt.complete


@pytest.mark.torture  # the SDK takes a minute to give up
def test_a_server_that_cannot_be_reached_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "0123456789abcdefkkkk0123456789abcdefkkkk"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path))
    run = trackhub.start(trackers="wandb", name="away")
    for step in range(20):
        run.log_metrics({"a": step / 7}, step=step)
    until = time.monotonic() + 60
    while "127.0.0.1:9" not in (reason := receipts(RunFolder(run.path))[0].reason) and time.monotonic() < until:
        time.sleep(0.2)
    assert reason.startswith("W&B: ") and "connection refused" in reason
    run.finish()
    assert folders(run.path) == []
    assert sync(run.path, "--tracker-opt", "wandb.mode=offline") == 0
    assert [point for point in points(run.path) if point[0] == "a"] == of_journal(run.path)
    held = [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]
    assert held == []


TRACED = """
import sys
from pathlib import Path
from trackhub.plugin import Row
from trackhub.testing import SomeRun, open_tracker
from trackhub_wandb import WandbTracker
assert "wandb" not in sys.modules
run = SomeRun(Path(sys.argv[1]), params={"lr": 1e-4})
tracker = open_tracker(WandbTracker, run)
tracker.log_params({"lr": 1e-4})
tracker.log_rows([Row({"train/loss": s / 7}, s, %r + s * 0.001, s + 1) for s in range(50)])
tracker.on_run_end("finished", {})
assert tracker.flush()[0]
assert not {"torch", "transformers", "tensorflow", "pandas", "matplotlib"} & set(sys.modules)
"""

NONSENSE = {
    "WANDB_MODE": "disabled",
    "WANDB_DIR": "/nowhere",
    "WANDB_RUN_ID": "other",
    "WANDB_NAME": "other",
    "WANDB_PROJECT": "other",
    "WANDB_TAGS": "other",
    "WANDB_SERVICE": "3-1-unix-/nowhere",
    "WANDB_RESUME": "must",
    "WANDB_SWEEP_ID": "s",
    "WANDB_CONSOLE": "wrap",
    "WANDB_DISABLED": "true",
    "WANDB_API_KEY": "k" * 40,
    "WANDB_BASE_URL": "http://127.0.0.1:9",
}


@pytest.mark.parametrize("case", ["plain", "nonsense", "no home", "hostile folder"])
def test_nothing_around_the_run_reaches_it_or_is_touched(run: SomeRun, tmp_path: Path, case: str) -> None:
    home, cwd, temp = places = tmp_path / "home", tmp_path / "cwd", tmp_path / "t"
    for place in places:
        place.mkdir()
    environment = os.environ | {"HOME": str(home), "TMPDIR": str(temp)}
    script = TRACED % START
    if case == "nonsense":
        environment |= NONSENSE
        script = script.replace("WandbTracker, run)", "WandbTracker, run, mode='offline')")
    if case == "no home":
        del environment["HOME"]
    if case == "hostile folder":
        (cwd / "wandb").mkdir()
        (cwd / "wandb" / "settings").write_text(
            "[default]\nmode = disabled\nproject = other\nbase_url = http://127.0.0.1:9\n"
        )
        (cwd / "config-defaults.yaml").write_text("lr:\n  value: 5\n")
        (cwd / "wandb.py").write_text("raise SystemExit('the wrong wandb')\n")
    before = {path for place in places for path in place.rglob("*")}
    command = [sys.executable, "-P", "-c", script, str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert {path for place in places for path in place.rglob("*")} == before
    assert points(run.path) == expected(range(50))
    assert config(run.path) == {"lr": 1e-4}
    (record,) = of_kind(run.path, "run")
    assert (record.run_id, record.project, record.display_name) == (run.id, "default", run.name)
    assert [path.name for path in run.path.iterdir()] == ["wandb_logs"]


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_offline_nothing_reaches_for_the_network(run: SomeRun, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg,openat", "-o", str(trace)]
    subprocess.run(
        [*command, sys.executable, "-P", "-c", TRACED % START, str(run.path)], check=True, capture_output=True
    )
    calls = trace.read_text(errors="replace").splitlines()
    # The SDK talks to its own process: so the trace has seen what it should.
    assert any("connect(" in call and "AF_UNIX" in call for call in calls)
    assert [call for call in calls if "AF_INET" in call or "resolv.conf" in call or "nscd" in call] == []
    assert points(run.path) == expected(range(50))
