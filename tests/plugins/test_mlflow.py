"""The MLflow tracker against the real thing: its database, read without MLflow, and a real server on this machine."""

from __future__ import annotations

import json
import logging
import math
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow_server import Gate, Server, client, files, free_port, gate, server, stored
from trackhub_mlflow import MlflowTracker, places

import trackhub
from trackhub import making
from trackhub.delivery.facade import Tracker
from trackhub.delivery.mapping import Mapper
from trackhub.errors import ConfigError
from trackhub.events import Artifact, Checkpoint, Media
from trackhub.journal import read
from trackhub.layout import all_runs
from trackhub.plugin import Rebuild, Rejected, Retry, Row
from trackhub.testing import SomeRun, open_tracker
from trackhub.testing.processes import MARK, marked

START = 1_767_225_601.123456
NUMBERS = [0.0, 0.1, math.nan, 1e308, -1e308, 5e-324, 2**53, -3, True]
KEYS = [
    "loss",
    "train/loss",
    "val/a b",
    "深度/学习",
    "acc@1",
    "a" * 600,
    "two\nlines",
    "/",
    "a//b",
    "..",
    "a/../b",
    "🙂",
]


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One real server for all tests of this file."""
    with server(tmp_path_factory.mktemp("mlflow-server")) as one:
        yield one


@pytest.fixture
def guarded(real: Server) -> Iterator[Gate]:
    """The real server behind a gate that can misbehave."""
    with gate(real.uri) as one:
        yield one


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path, id=uuid4().hex[:16], remembered={}, params={}, environment={})


def database(run: SomeRun) -> Path:
    return run.runs_dir / "mlflow.db"


def run_id(run: SomeRun) -> str:
    known: str = run.remembered["run_id"]
    return known


def of_mlflow(run: SomeRun) -> Any:
    return client(f"sqlite:///{database(run)}").get_run(run_id(run))


def flushed(tracker: Tracker) -> dict[str, Any]:
    sealed, state = tracker.flush()
    assert sealed
    found: dict[str, Any] = json.loads(json.dumps(state))
    return found


def rows(steps: range, key: str = "loss", shift: float = 0.0) -> list[Row]:
    return [Row({key: step / 7 + shift}, step, START + shift + step * 0.001, step + 1) for step in steps]


def as_stored(given: list[Row]) -> list[tuple[str, int, float, int]]:
    return [(key, row.step, value, round(row.timestamp * 1000)) for row in given for key, value in row.metrics.items()]


def test_every_key_step_value_and_time_is_stored(run: SomeRun) -> None:
    mapper = Mapper(MlflowTracker.limits)
    keys = [mapper.key(key) for key in KEYS]
    given = [Row(dict.fromkeys(keys, value), 10**9 * step, START + step, step) for step, value in enumerate(NUMBERS)]
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(given)
    assert {row[0] for row in stored(database(run), run_id(run))} == set(keys)
    for key in keys:
        expected = [(row.step, float(row.metrics[key]), round(row.timestamp * 1000)) for row in given]
        found = [row[1:] for row in stored(database(run), run_id(run), key)]
        assert repr([(step, float(value), moment) for step, value, moment in found]) == repr(expected)
        assert repr(tracker.read_back(key)) == repr([(step, value, moment / 1000) for step, value, moment in expected])
    assert tracker.read_back("never logged") == []


def test_infinities_are_left_out_and_named() -> None:
    row, changed = Mapper(MlflowTracker.limits).row({"a": math.inf, "b": -math.inf, "c": math.nan, "d": 1.0})
    assert list(row) == ["c", "d"]
    assert [*changed] == ["a = inf", "b = -inf"]


@settings(deadline=None)
@given(st.one_of(st.text(), st.text("./: -_a\n~@%", max_size=12), st.text("./é中😀@a", min_size=230, max_size=300)))
def test_mlflow_itself_accepts_every_mapped_key(key: str) -> None:
    client("sqlite://")  # its imports warn
    from mlflow.utils.validation import _validate_metric, _validate_param, _validate_tag

    mapped = Mapper(MlflowTracker.limits).key(key)
    _validate_metric(mapped, 1.0, 0, 0)
    _validate_param(mapped, "x")
    _validate_tag(mapped, "x")


def test_the_limits_are_those_of_the_installed_mlflow() -> None:
    client("sqlite://")
    from mlflow.utils import validation
    from trackhub_mlflow import artifacts, opening, sending

    assert MlflowTracker.limits.key_length == validation.MAX_ENTITY_KEY_LENGTH
    assert MlflowTracker.limits.param_length == validation.MAX_PARAM_VAL_LENGTH
    assert sending.MOST_METRICS == validation.MAX_METRICS_PER_BATCH
    assert sending.MOST_PARAMS == validation.MAX_PARAMS_TAGS_PER_BATCH
    assert sending.MOST_BYTES < validation.MAX_BATCH_LOG_REQUEST_SIZE
    assert opening.LONGEST_TAG == artifacts.LONGEST_TAG == validation.MAX_TAG_VAL_LENGTH
    assert opening.LONGEST_NAME == validation.MAX_EXPERIMENT_NAME_LENGTH


@pytest.mark.parametrize("step", [*MlflowTracker.limits.steps, -1])
def test_steps_have_64_bits(run: SomeRun, step: int) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows([Row({"x": 1.5}, step, START, 1)])
    assert [(found, value) for found, value, _ in tracker.read_back("x")] == [(step, 1.5)]


def test_a_replay_adds_nothing(run: SomeRun) -> None:
    given = [*rows(range(2500)), Row({"nan": math.nan, "loss": 7.0}, 3, START, 2501)]
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(given[:1000])
    state = flushed(tracker)
    tracker.log_rows(given[1000:])
    before = stored(database(run), run_id(run))
    again = open_tracker(MlflowTracker, run, state)
    again.log_rows(given[700:1700])
    again.log_rows(given[1700:])
    assert stored(database(run), run_id(run)) == before
    assert len(before) == 2502
    assert {row for row in before if row[0] == "loss"} == {*as_stored(given[:2500]), ("loss", 3, 7.0, 1767225601123)}


def test_of_points_that_share_key_step_millisecond_and_value_one_is_stored(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(
        [Row({"x": 1.0}, 5, START, 1), Row({"x": 1.0}, 5, START - 0.0001, 2), Row({"x": 2.0}, 5, START, 3)]
    )
    assert [(step, value) for step, value, _ in tracker.read_back("x")] == [(5, 1.0), (5, 2.0)]


def test_mlflow_orders_by_time_and_sqlite_knows_one_zero(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows([Row({"x": -0.0}, 9, START, 1), Row({"x": 1.0}, 3, 1.5, 2), Row({"x": 2.0}, 1, START, 3)])
    assert repr(tracker.read_back("x")) == "[(3, 1.0, 1.5), (1, 2.0, 1767225601.123), (9, 0.0, 1767225601.123)]"


def test_a_run_is_found_again_when_all_that_was_remembered_is_lost(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(rows(range(10)))
    first = run_id(run)
    run.remembered = {}
    open_tracker(MlflowTracker, run).log_rows(rows(range(20)))
    assert run_id(run) == first
    assert stored(database(run), first) == as_stored(rows(range(20)))
    other = SomeRun(run.path, id=uuid4().hex[:16], name="other", remembered={})
    open_tracker(MlflowTracker, other)
    assert run_id(other) != first


def test_the_id_is_on_disk_before_anything_is_delivered(run: SomeRun) -> None:
    open_tracker(MlflowTracker, run)
    assert of_mlflow(run).data.tags["trackhub.run_id"] == run.id
    assert of_mlflow(run).info.status == "RUNNING"
    assert run.remembered == {"run_id": run_id(run), "store": f"sqlite:///{database(run)}"}


def test_a_database_that_went_away_is_filled_again(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=f"sqlite:///{run.runs_dir / 'one.db'}")
    tracker.log_rows(rows(range(3)))
    state = flushed(tracker)
    with pytest.raises(Rebuild, match="not in this MLflow"):
        open_tracker(MlflowTracker, run, state)
    new = run_id(run)
    open_tracker(MlflowTracker, run).log_rows(rows(range(3)))
    assert run_id(run) == new
    assert stored(database(run), new) == as_stored(rows(range(3)))


def test_a_run_that_was_deleted_waits_until_it_is_brought_back(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run)
    of = client(f"sqlite:///{database(run)}")
    of.delete_run(run_id(run))
    with pytest.raises(Retry, match=f"mlflow runs restore --run-id {run_id(run)}"):
        tracker.log_rows(rows(range(3)))
    with pytest.raises(Rejected, match="mlflow runs restore"):
        open_tracker(MlflowTracker, run, flushed(tracker))
    of.restore_run(run_id(run))
    tracker.log_rows(rows(range(3)))
    assert stored(database(run), run_id(run)) == as_stored(rows(range(3)))


def test_a_deleted_experiment_is_told_with_what_mends_it(run: SomeRun) -> None:
    open_tracker(MlflowTracker, run)
    of = client(f"sqlite:///{database(run)}")
    of.delete_experiment(of.get_experiment_by_name("default").experiment_id)
    run.remembered = {}
    with pytest.raises(Rejected, match="mlflow experiments restore --experiment-id 1"):
        open_tracker(MlflowTracker, run)


def test_parameters_are_flat_and_the_whole_configuration_is_a_file(run: SomeRun) -> None:
    run.params = {"lora": {"r": 16}, "long": "模" * 9000, "clip": math.inf} | {f"p{n}": n for n in range(250)}
    flat, _ = Mapper(MlflowTracker.limits).params(run.params)
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_params(flat)
    found = of_mlflow(run).data.params
    assert found == flat
    assert (found["lora/r"], found["clip"], len(found["long"]), len(found)) == ("16", '"Infinity"', 6000, 253)
    assert config(run) == run.params | {"clip": "Infinity"}


def config(run: SomeRun) -> Any:
    of = client(f"sqlite:///{database(run)}")
    return json.loads(Path(of.download_artifacts(run_id(run), "config.json")).read_text(encoding="utf-8"))


def test_a_parameter_keeps_its_first_value_and_the_later_one_is_told(
    run: SomeRun, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_params({"lr": "1", "seed": "0"})
    for _ in range(2):
        run.params = {"lr": 2, "seed": 0, "new": ""}
        tracker.log_params({"lr": "2", "seed": "0", "new": ""})
    found = of_mlflow(run).data
    assert found.params == {"lr": "1", "seed": "0", "new": ""}
    assert found.tags["trackhub.changed_params"] == "lr"
    assert config(run) == {"lr": 2, "seed": 0, "new": ""}
    (said,) = [record.getMessage() for record in caplog.records if record.name == "trackhub"]
    assert said.startswith("mlflow: parameter lr has another value now")


def test_metrics_do_not_wait_for_artifacts_that_cannot_be_stored(
    run: SomeRun, caplog: pytest.LogCaptureFixture
) -> None:
    (run.runs_dir / "mlartifacts").write_text("in the way")
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_params({"lr": "1"})
    assert of_mlflow(run).data.params == {"lr": "1"}
    assert "config.json is not stored: NotADirectoryError" in caplog.text
    with pytest.raises(Rejected, match="NotADirectoryError"):
        tracker.log_artifact(Artifact(n=1, t=START, name="x", path=__file__))


def test_the_run_says_who_it_is(run: SomeRun) -> None:
    run.project, run.tags, run.notes, run.group, run.job_type = "my project/1", ("a", "b"), "why" * 9000, "g", "train"
    open_tracker(MlflowTracker, run)
    found = of_mlflow(run)
    assert (found.info.run_name, found.info.start_time) == (run.name, 1_767_225_600_250)
    tags = {name: text for name, text in found.data.tags.items() if name != "mlflow.runName"}
    assert tags == {
        "trackhub.run_id": run.id,
        "trackhub.tags": "a, b",
        "trackhub.group": "g",
        "trackhub.job_type": "train",
        "mlflow.note.content": ("why" * 9000)[:8000],
        "mlflow.source.type": "LOCAL",
    }
    of = client(f"sqlite:///{database(run)}")
    experiment = of.get_experiment(found.info.experiment_id)
    assert experiment.name == "my project/1"
    assert experiment.artifact_location.startswith((run.runs_dir / "mlartifacts").as_uri())
    assert of.get_experiment("0").artifact_location == (run.runs_dir / "mlartifacts" / "0").as_uri()


@pytest.mark.parametrize(("status", "state"), [("finished", "FINISHED"), ("failed", "FAILED"), ("killed", "KILLED")])
def test_the_true_status_the_last_moment_and_the_source_are_stored(run: SomeRun, status: str, state: str) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(rows(range(100)))
    run.environment = {
        "argv": ["train.py", "--lr", "1"],
        "host": "h",
        "git": {"commit": "abc", "branch": None, "dirty": True},
    }
    again = open_tracker(MlflowTracker, run, flushed(tracker))
    again.on_run_end(status, {})
    found = of_mlflow(run)
    assert (found.info.status, found.info.end_time) == (state, round((START + 0.099) * 1000))
    assert found.data.tags["mlflow.source.name"] == "train.py --lr 1"
    assert found.data.tags["mlflow.source.git.commit"] == "abc"
    assert found.data.tags["trackhub.git.dirty"] == "true"
    assert "mlflow.source.git.branch" not in found.data.tags


def test_a_resumed_run_runs_again_and_a_replayed_one_does_not(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run)
    tracker.log_rows(rows(range(10)))
    tracker.on_run_end("finished", {})
    state = flushed(tracker)
    again = open_tracker(MlflowTracker, run, state)
    again.log_rows(rows(range(10)))
    assert of_mlflow(run).info.status == "FINISHED"
    again.log_rows(rows(range(10, 20)))
    assert of_mlflow(run).info.status == "RUNNING"
    again.on_run_end("killed", {})
    assert of_mlflow(run).info.status == "KILLED"


def png(path: Path) -> Path:
    """A picture of 300 by 400 pixels, each of another colour than its neighbour."""
    lines = b"".join(b"\0" + bytes((x * y) % 256 for x in range(900)) for y in range(400))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 300, 400, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def medium(kind: str, path: Path, key: str = "val/samples") -> Media:
    return Media(n=1, t=START, key=key, step=7, media_kind=kind, path=str(path), sha256="0123456789" * 6)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".webp"])
def test_a_picture_is_where_mlflow_shows_pictures_by_step(run: SomeRun, tmp_path: Path, suffix: str) -> None:
    from PIL import Image

    path = png(tmp_path / "x.png")
    if suffix != ".png":
        with Image.open(path) as picture:
            picture.save(tmp_path / f"x{suffix}")
    tracker = open_tracker(MlflowTracker, run)
    for _ in range(2):
        tracker.log_media(medium("image", tmp_path / f"x{suffix}"))
    of = client(f"sqlite:///{database(run)}")
    assert of.get_run(run_id(run)).data.tags["mlflow.loggedImages"] == "true"
    full, small = sorted(files(of, run_id(run)), key=lambda name: "compressed" in name)
    # As MLflow's page takes the names apart.
    key, step, at, time_, moment, _unique = full.removeprefix("images/").rpartition(".")[0].split("+")
    assert (key, step, at, time_, moment) == ("val~samples", "step", "7", "timestamp", "1767225601123")
    assert small == full.rpartition(".")[0] + "+compressed.webp"
    shown, expected = Path(of.download_artifacts(run_id(run), full)), ".webp" if suffix == ".webp" else ".png"
    with Image.open(shown) as picture, Image.open(of.download_artifacts(run_id(run), small)) as little:
        assert (shown.suffix, picture.size, little.size) == (expected, (300, 400), (192, 256))
    if suffix == ".png":
        assert shown.read_bytes() == path.read_bytes()


def test_a_table_is_one_that_mlflow_loads(run: SomeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.json").write_text('{"columns": ["question", "right"], "data": [["为什么?", true], ["b", false]]}')
    tracker = open_tracker(MlflowTracker, run)
    for _ in range(2):
        tracker.log_media(medium("table", tmp_path / "t.json"))
    of = client(f"sqlite:///{database(run)}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database(run)}")  # load_table looks for runs there
    found = of.get_run(run_id(run))
    (told,) = json.loads(found.data.tags["mlflow.loggedArtifacts"])
    table = of.load_table(found.info.experiment_id, told["path"])
    assert table.to_dict("list") == {"question": ["为什么?", "b"], "right": [True, False]}


def test_more_tables_than_fit_the_tag_are_files_all_the_same(run: SomeRun, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"columns": ["a"], "data": [[1]]}')
    tracker = open_tracker(MlflowTracker, run)
    for number in range(30):
        tracker.log_media(medium("table", tmp_path / "t.json", f"{'模' * 120}/{number}"))
    of = client(f"sqlite:///{database(run)}")
    assert len(files(of, run_id(run))) == 30
    assert 1 < len(json.loads(of.get_run(run_id(run)).data.tags["mlflow.loggedArtifacts"])) < 30


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("audio", ".wav"), ("video", ".mp4"), ("html", ".html"), ("text", ".txt"), ("histogram", ".json")],
)
def test_other_media_are_files_by_key_and_step(run: SomeRun, tmp_path: Path, kind: str, suffix: str) -> None:
    (tmp_path / f"x{suffix}").write_bytes(b"content")
    tracker = open_tracker(MlflowTracker, run)
    for _ in range(2):
        tracker.log_media(medium(kind, tmp_path / f"x{suffix}", "val/a b"))
    assert files(client(f"sqlite:///{database(run)}"), run_id(run)) == {f"media/val/a b/7-01234567{suffix}": 7}


def kept_files(run: SomeRun) -> tuple[Artifact, Checkpoint]:
    """An artifact with a name that no URL likes, and a checkpoint that is a folder."""
    (run.path / "artifacts" / "a").mkdir(parents=True)
    (run.path / "artifacts" / "a" / "what? #1 为.txt").write_text("abc")
    for name in ("x.bin", "deep/y z.bin"):
        (run.path / "checkpoints" / "step-7" / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / "checkpoints" / "step-7" / name).write_bytes(b"12345")
    artifact = Artifact(n=1, t=START + 5, name="a/b", path=str(run.path / "artifacts" / "a" / "what? #1 为.txt"))
    return artifact, Checkpoint(n=2, t=START + 6, step=7, path=str(run.path / "checkpoints" / "step-7"))


def upload(tracker: Tracker, run: SomeRun, of: Any) -> None:
    """Upload both, twice, and compare with what is stored."""
    artifact, checkpoint = kept_files(run)
    for _ in range(2):
        tracker.log_artifact(artifact)
        tracker.save_checkpoint(checkpoint)
    found = files(of, run_id(run))
    (odd,) = [name for name in found if name.startswith("artifacts/a/what_ _1 为-")]
    assert odd.endswith(".txt")
    assert found == {odd: 3, "checkpoints/step-7/x.bin": 5, "checkpoints/step-7/deep/y z.bin": 5}
    assert Path(of.download_artifacts(run_id(run), odd)).read_text() == "abc"


def test_artifacts_and_checkpoints_have_the_paths_of_the_run_folder(run: SomeRun) -> None:
    tracker = open_tracker(MlflowTracker, run, upload="all")
    upload(tracker, run, client(f"sqlite:///{database(run)}"))
    tracker.on_run_end("finished", {})
    assert of_mlflow(run).info.end_time == round((START + 6) * 1000)
    with pytest.raises(Rejected, match="FileNotFoundError"):
        tracker.log_artifact(Artifact(n=1, t=START, name="x", path=str(run.path / "gone")))


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("sqlite:///mlflow.db", "relative: give the whole path"),
        ("file:///tmp/mlruns", "file store repeats points"),
        ("/tmp/mlruns", "file store repeats points"),
        ("mlruns", "file store repeats points"),
        ("https://me:secret@host", "holds a password"),
        ("https://secret@host", "holds a password"),
        ("postgresql://me:se/secret@host/db", "holds a password"),
    ],
)
def test_an_address_that_cannot_work_is_refused_with_the_fix(
    uri: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        making.make("mlflow", MlflowTracker, {"tracking_uri": uri})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    if "secret" not in uri:
        with pytest.raises(ConfigError, match=complaint):
            making.make("mlflow", MlflowTracker, {})


def test_an_address_loses_its_password_before_it_is_written_down() -> None:
    assert places.without_login("https://me:secret@host:5000/x") == "https://host:5000/x"
    assert places.without_login("postgresql+psycopg2://me:se/cret@host/db") == "postgresql+psycopg2://host/db"
    assert places.without_login("https://host:5000/x@y") == "https://host:5000/x@y"
    assert places.without_login("sqlite:////a@b/mlflow.db") == "sqlite:////a@b/mlflow.db"


MOUNTS = r"""overlay / overlay rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb /home/me/local ext4 rw 0 0
//server/share /mnt/my\040share cifs rw 0 0
me@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdc /data xfs rw 0 0
server:/data /data nfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tmp/runs", None),
        ("/home/me/runs", "nfs4"),
        ("/home/me/local/runs", None),
        ("/homes/runs", None),
        ("/mnt/my share/runs", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/data/runs", "nfs"),
    ],
)
def test_a_network_file_system_is_known(path: str, kind: str | None) -> None:
    assert places.network_file_system(Path(path), MOUNTS) == kind
    assert places.network_file_system(Path(path), "") is None


def test_a_database_on_a_network_file_system_is_refused_with_the_fix(
    run: SomeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "mounts", lambda: f"server:/x {run.runs_dir.resolve()} nfs4 rw 0 0\n")
    with pytest.raises(Rejected, match=r"mlflow\.tracking_uri=http://host:5000"):
        open_tracker(MlflowTracker, run)
    assert not database(run).exists()
    open_tracker(MlflowTracker, run, tracking_uri=f"sqlite:///{run.path / 'own.db'}")


def test_a_kill_while_the_database_was_made_leaves_nothing_in_the_way(run: SomeRun) -> None:
    (run.runs_dir / ".mlflow.db.new").write_bytes(b"half a database")
    open_tracker(MlflowTracker, run).log_rows(rows(range(3)))
    assert stored(database(run), run_id(run)) == as_stored(rows(range(3)))
    assert not (run.runs_dir / ".mlflow.db.new").exists()


LIGHT = """
import sys, trackhub_mlflow
assert not [name for name in sys.modules if name.startswith("mlflow")], "the SDK was imported with the module"
from pathlib import Path
from trackhub.plugin import Row
from trackhub.testing import SomeRun, open_tracker
tracker = open_tracker(trackhub_mlflow.MlflowTracker, SomeRun(Path(sys.argv[1])), **eval(sys.argv[2]))
tracker.log_rows([Row({"x": 1.0}, 0, 1.5, 1)])
tracker.log_params({"lr": "1"})
tracker.on_run_end("finished", {})
assert tracker.read_back("x") == [(0, 1.0, 1.5)]
"""


def test_nothing_is_printed_and_the_working_folder_stays_empty(run: SomeRun, real: Server, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for options in ({}, {"tracking_uri": real.uri}):
        command = [sys.executable, "-W", "error", "-c", LIGHT, str(run.path), repr(options)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path / "here")
        assert (done.stdout, done.stderr) == ("", "")
        assert list((tmp_path / "here").iterdir()) == []


# A real server.


def test_a_server_stores_the_same(run: SomeRun, real: Server) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=real.uri, experiment="served", upload="all")
    given = [Row({"loss": value, "val/深": 1.0}, step - 3, START + step, step) for step, value in enumerate(NUMBERS)]
    tracker.log_rows(given)
    tracker.log_params({"lr": "0.1"})
    of = client(real.uri)
    expected = [(row.step, float(row.metrics["loss"]), round(row.timestamp * 1000)) for row in given]
    found = [(one.step, one.value, one.timestamp) for one in of.get_metric_history(run_id(run), "loss")]
    assert repr(found) == repr(expected)
    assert repr(tracker.read_back("loss")) == repr([(step, value, at / 1000) for step, value, at in expected])
    one = of.get_run(run_id(run))
    assert (one.info.run_name, one.data.params) == (run.name, {"lr": "0.1"})
    experiment = of.get_experiment_by_name("served").experiment_id
    assert run.remembered["url"] == f"{real.uri}/#/experiments/{experiment}/runs/{run_id(run)}"
    again = open_tracker(MlflowTracker, run, flushed(tracker), tracking_uri=real.uri, experiment="served")
    again.log_rows(given)
    again.on_run_end("failed", {})
    assert len(tracker.read_back("loss")) == len(given)
    assert of.get_run(run_id(run)).info.status == "FAILED"


def test_a_server_takes_the_largest_batches_and_parameters(run: SomeRun, real: Server) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=real.uri)
    keys = [f"{'模' * 240}{number}" for number in range(20)]
    tracker.log_rows([Row(dict.fromkeys(keys, step / 3), step, START + step, step) for step in range(130)])
    params = {f"{'中' * 240}{number}": "🙂" * 6000 for number in range(20)}
    tracker.log_params(params)
    assert [len(tracker.read_back(key)) for key in keys] == [130] * 20
    assert client(real.uri).get_run(run_id(run)).data.params == params


def test_files_go_through_a_server(run: SomeRun, real: Server, tmp_path: Path) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=real.uri, upload="all")
    of = client(real.uri)
    upload(tracker, run, of)
    tracker.log_media(medium("image", png(tmp_path / "x.png"), "深/学"))
    tracker.log_params({})
    assert "config.json" in files(of, run_id(run))
    assert len(files(of, run_id(run), "images")) == 2


def test_no_connection_is_retry_at_once(run: SomeRun) -> None:
    started = time.monotonic()
    with pytest.raises(Retry, match="Connection refused"):
        open_tracker(MlflowTracker, run, tracking_uri=f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - started < 8


def test_a_frozen_server_is_retry_within_the_timeout_and_nothing_is_doubled(run: SomeRun, real: Server) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=real.uri, timeout=2)
    tracker.log_rows(rows(range(5)))
    with real.frozen():
        started = time.monotonic()
        with pytest.raises(Retry, match="timeout"):
            tracker.log_rows(rows(range(5, 10)))
        assert 1.5 < time.monotonic() - started < 5
    tracker.log_rows(rows(range(5, 10)))
    time.sleep(0.5)
    assert [step for step, _, _ in tracker.read_back("loss")] == list(range(10))


JSON = {"Content-Type": "application/json"}


def error(code: str) -> bytes:
    return json.dumps({"error_code": code, "message": "says the gate"}).encode()


ANSWERS: dict[str, tuple[tuple[int, dict[str, str], bytes], type[Exception], float | None]] = {
    "500 in words": ((500, {}, b"<html>oops</html>"), Retry, None),
    "500 of MLflow": ((500, JSON, error("INTERNAL_ERROR")), Retry, None),
    "502": ((502, {}, b""), Retry, None),
    "503 with a time": ((503, {"Retry-After": "7"}, b""), Retry, 7.0),
    "429 with a time": ((429, {"Retry-After": "13"}, b""), Retry, 13.0),
    "429 without": ((429, JSON, error("REQUEST_LIMIT_EXCEEDED")), Retry, None),
    "garbage": ((200, {}, b"\x00\xffnonsense"), Retry, None),
    "a login page": ((200, {"Content-Type": "text/html"}, b"<html>please log in</html>"), Retry, None),
    "401": ((401, {}, b"who are you"), Retry, 60.0),
    "403": ((403, JSON, error("PERMISSION_DENIED")), Retry, 60.0),
    "400": ((400, JSON, error("INVALID_PARAMETER_VALUE")), Rejected, None),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_a_server_answers_becomes_a_verdict_and_no_second_request(
    run: SomeRun, guarded: Gate, answer: str
) -> None:
    given, verdict, after = ANSWERS[answer]
    tracker = open_tracker(MlflowTracker, run, tracking_uri=guarded.uri)
    guarded.answer, guarded.seen = given, []
    with pytest.raises(verdict) as raised:
        tracker.log_rows(rows(range(3)))
    assert getattr(raised.value, "after", None) == after
    assert guarded.seen.count("POST /api/2.0/mlflow/runs/log-batch") == 1
    guarded.answer = None
    tracker.log_rows(rows(range(3)))
    assert len(tracker.read_back("loss")) == 3


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ((401, {}, b"who are you"), Rejected),
        ((403, {}, b"not you"), Rejected),
        ((503, {"Retry-After": "5"}, b""), Retry),
        ((200, {}, b"<html>"), Retry),
        ((404, {}, b"no such page"), Rejected),
    ],
)
def test_what_a_server_answers_when_the_run_opens(
    run: SomeRun, guarded: Gate, answer: Any, verdict: type[Exception]
) -> None:
    guarded.answer = answer
    with pytest.raises(verdict) as raised:
        open_tracker(MlflowTracker, run, tracking_uri=guarded.uri)
    if answer[0] in (401, 403):
        assert "export MLFLOW_TRACKING_TOKEN=..." in str(raised.value)
    assert getattr(raised.value, "after", None) == (5.0 if answer[0] == 503 else None)


@pytest.mark.parametrize(
    ("answer", "verdict", "after"),
    [
        ((503, {"Retry-After": "9"}, b""), Retry, 9.0),
        ((507, {}, b"full"), Retry, None),
        ((413, {}, b"too large"), Rejected, None),
    ],
)
def test_what_a_server_answers_to_a_file(
    run: SomeRun, guarded: Gate, answer: Any, verdict: type[Exception], after: float | None
) -> None:
    tracker = open_tracker(MlflowTracker, run, tracking_uri=guarded.uri, upload="all")
    artifact, _ = kept_files(run)
    tracker.log_artifact(artifact)
    guarded.answer = answer
    with pytest.raises(verdict) as raised:
        tracker.log_artifact(artifact)
    assert getattr(raised.value, "after", None) == after


def test_a_request_that_was_answered_to_nobody_makes_no_second_run(run: SomeRun, guarded: Gate, real: Server) -> None:
    open_tracker(MlflowTracker, run, tracking_uri=guarded.uri, experiment="once")
    run.remembered = {}
    open_tracker(MlflowTracker, run, tracking_uri=guarded.uri, experiment="once")
    of = client(real.uri)
    home = of.get_experiment_by_name("once").experiment_id
    assert [one.info.run_id for one in of.search_runs([home])] == [run_id(run)]


# Whole runs.

MANY = """
import sys, trackhub
number = int(sys.argv[1])
options = {"name": f"r{number}", "config": {"n": number}, "finish_timeout": 240}
with trackhub.start(project="sweep", trackers="mlflow", **options) as run:
    for step in range(100):
        run.log_metrics({"a": step / 3}, step=step)
"""


def of_journal(path: Path, key: str) -> list[tuple[str, int, float, int]]:
    events = [event for event in read(path) if type(event).__name__ == "Metrics"]
    return [(key, event.step, event.metrics[key], round(event.t * 1000)) for event in events if key in event.metrics]


def by_name(runs: Path) -> dict[str, Any]:
    of = client(f"sqlite:///{runs / 'mlflow.db'}")
    return {one.info.run_name: one for one in of.search_runs([home.experiment_id for home in of.search_experiments()])}


def test_eight_runs_that_start_at_once_on_a_new_database_all_arrive(runs: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", MANY, str(number)]) for number in range(8)]
    assert [process.wait(280) for process in processes] == [0] * 8
    found = by_name(runs)
    assert len(found) == 8
    for folder in all_runs(runs):
        one = found[folder.path.name]
        assert (one.info.status, list(one.data.params)) == ("FINISHED", ["n"])
        assert sorted(stored(runs / "mlflow.db", one.info.run_id, "a")) == sorted(of_journal(folder.path, "a"))


def test_a_rewind_appends_and_the_later_values_stand_last(runs: Path) -> None:
    with trackhub.start(trackers="mlflow", name="rewound") as run:
        for step in range(10):
            run.log_metrics({"a": float(step)}, step=step)
    with trackhub.resume(run.path, step=4) as again:
        for step in range(5, 8):
            again.log_metrics({"a": 100.0 + step}, step=step)
    (one,) = by_name(runs).values()
    values = [(row[1], row[2]) for row in stored(runs / "mlflow.db", one.info.run_id, "a")]
    assert [value for _, value in values[-3:]] == [105.0, 106.0, 107.0]
    assert sorted(values) == sorted([(n, float(n)) for n in range(10)] + [(n, 100.0 + n) for n in range(5, 8)])
    assert one.info.status == "FINISHED"


def test_a_whole_run_on_a_server_with_files(runs: Path, real: Server, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(b"w" * 1000)
    options = {"tracking_uri": real.uri, "upload": "all"}
    with trackhub.start(project="whole", trackers={"mlflow": options}, config={"a": {"b": 1}}, tags=("t",)) as run:
        for step in range(2500):
            run.log_metrics({"acc@1": step / 3, "inf": math.inf, "nan": math.nan}, step=step)
        run.log_artifact(tmp_path / "weights.bin")
    of = client(real.uri)
    (one,) = of.search_runs([of.get_experiment_by_name("whole").experiment_id])
    found = [(row.step, row.value, row.timestamp) for row in of.get_metric_history(one.info.run_id, "acc:401")]
    assert found == [row[1:] for row in of_journal(run.path, "acc@1")]
    assert len(of.get_metric_history(one.info.run_id, "nan")) == 2500
    assert of.get_metric_history(one.info.run_id, "inf") == []
    assert (one.info.status, one.data.params) == ("FINISHED", {"a/b": "1"})
    assert files(of, one.info.run_id)["artifacts/weights.bin"] == 1000


def synced(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "trackhub", "sync", str(path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_run_that_never_had_it_is_filled_later_and_a_second_time_changes_nothing(runs: Path) -> None:
    with trackhub.start(trackers="none", config={"lr": 0.1}) as run:
        for step in range(2500):
            run.log_metrics({"a": step / 3}, step=step)
    for _ in range(2):
        done = synced(run.path, "--to", "mlflow")
        assert done.returncode == 0, done.stdout + done.stderr
        (one,) = by_name(runs).values()
        assert (one.info.status, one.data.params) == ("FINISHED", {"lr": "0.1"})
        assert sorted(stored(runs / "mlflow.db", one.info.run_id, "a")) == sorted(of_journal(run.path, "a"))


KILLED = """
import time, trackhub
run = trackhub.start(trackers="mlflow", name="killed")
print("started", flush=True)
for step in range(10_000_000):
    run.log_metrics({"a": step / 3}, step=step)
    time.sleep(0.0005)
"""


def until(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_after_kill_9_of_everything_each_point_is_there_once(runs: Path) -> None:
    command = [sys.executable, "-c", KILLED]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    until(lambda: (runs / "mlflow.db").exists() and any(one.data.metrics for one in by_name(runs).values()))
    for one in marked(os.environ[MARK]):
        one.kill()
    process.wait()
    process.stdout.close()
    (folder,) = all_runs(runs)
    done = synced(folder.path)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = by_name(runs).values()
    assert found.info.status == "KILLED"
    assert sorted(stored(runs / "mlflow.db", found.info.run_id, "a")) == sorted(of_journal(folder.path, "a"))


def test_logging_of_the_sdk_is_quiet(run: SomeRun) -> None:
    open_tracker(MlflowTracker, run)
    assert logging.getLogger("mlflow").getEffectiveLevel() >= logging.ERROR
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"
