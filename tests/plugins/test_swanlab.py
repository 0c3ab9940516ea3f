"""The SwanLab tracker against the real SDK: what it stored is read back with SwanLab's own reader."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from swanlab_reader import folders, of_kind, points, records
from trackhub_swanlab import SwanlabTracker

import trackhub
from trackhub import making
from trackhub.delivery.facade import Tracker
from trackhub.errors import ConfigError
from trackhub.events import Message
from trackhub.plugin import Rebuild, Row
from trackhub.testing import SomeRun, open_tracker

START = 1_767_225_601.123456
NUMBERS = [0.0, -0.0, 0.1, float("nan"), float("inf"), float("-inf"), 1e308, 5e-324, 2**53 + 1, -(2**60), 3]


def rows(steps: range, key: str = "train/loss") -> list[Row]:
    return [Row({key: step / 7}, step, START + step * 0.001, step + 1) for step in steps]


def expected(steps: range, key: str = "train/loss") -> list[tuple[str, int, float, float]]:
    return [(key, step, step / 7, START + step * 0.001) for step in steps]


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path)


def sealed_state(tracker: Tracker, status: str = "finished") -> dict[str, Any]:
    tracker.on_run_end(status, {})
    sealed, state = tracker.flush()
    assert sealed
    return json.loads(json.dumps(state))


def test_every_key_step_value_and_time_is_read_back_exactly(run: SomeRun) -> None:
    keys = ["loss", "train/loss", "val/a b", "深度/学习", "🙂", "a" * 512]
    given = [
        Row(dict.fromkeys(keys, value), step, START + step * 0.000_001, step + 1) for step, value in enumerate(NUMBERS)
    ]
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows(given)
    sealed_state(tracker)
    wanted = [(key, row.step, float(value), row.timestamp) for row in given for key, value in row.metrics.items()]
    assert repr(points(run.path)) == repr(wanted)
    for key in keys:
        assert repr(tracker.read_back(key)) == repr([point[1:] for point in wanted if point[0] == key])


@pytest.mark.parametrize("moment", [0.0, 0.5, 1_600_000_000.999_999_9, 4_102_444_800.000_001, 1_767_225_600.1])
def test_a_time_comes_back_as_the_same_float(run: SomeRun, moment: float) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows([Row({"x": 1.0}, 0, moment, 1)])
    assert tracker.read_back("x") == [(0, 1.0, moment)]


def test_each_key_has_one_column_in_the_section_before_its_slash(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows([Row({"train/loss": 1.0, "lr": 2.0}, step, START, step + 1) for step in range(3)])
    sealed_state(tracker)
    columns = [(column.column_key, column.section_name) for column in of_kind(run.path, "column")]
    assert columns == [("train/loss", "train"), ("lr", "")]


def test_the_run_says_who_it_is(run: SomeRun) -> None:
    run.project, run.tags, run.notes, run.group, run.job_type = "my project/1", ("a", "b"), "why", "sweep", "train"
    tracker = open_tracker(SwanlabTracker, run, workspace="us")
    sealed_state(tracker)
    (start,) = of_kind(run.path, "start")
    assert (start.id, start.name, start.project, start.workspace) == (run.id, run.name, "my-project-1", "us")
    assert (list(start.tags), start.description, start.group, start.job_type) == (["a", "b"], "why", "sweep", "train")
    assert start.started_at.seconds + start.started_at.nanos / 1e9 == run.started
    assert run.remembered["run_id"] == run.id


def test_the_configuration_is_nested_and_later_additions_join_it(run: SomeRun) -> None:
    run.params = {"lora": {"r": 16, "targets": ["q", "v"]}}
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_params(run.params)
    tracker.log_params({"lr": 1e-4, "clip": float("inf"), "none": None})
    sealed_state(tracker)
    (folder,) = folders(run.path)
    text = (folder / "files" / "config.yaml").read_text(encoding="utf-8")
    stored = {key: entry["value"] for key, entry in yaml.safe_load(text).items()}
    assert stored == {**run.params, "lr": 1e-4, "clip": "Infinity", "none": None}
    assert of_kind(run.path, "save")[-1].payload.decode() == text


def test_messages_are_lines_of_the_log(run: SomeRun) -> None:
    from swanlab.proto.swanlab.terminal.v1.log_pb2 import LogLevel

    tracker = open_tracker(SwanlabTracker, run, fragment_events=2)
    tracker.log_message(Message(n=1, t=START, text="one\ntwo"))
    tracker.log_message(Message(n=2, t=START, text="hot", level="warning"))
    tracker.flush()
    tracker.log_message(Message(n=3, t=START, text="broken", level="error"))
    sealed_state(tracker)
    lines = [(line.line, LogLevel.Name(line.level), line.epoch) for line in of_kind(run.path, "log")]
    assert lines == [
        ("one", "LOG_LEVEL_INFO", 1),
        ("two", "LOG_LEVEL_INFO", 2),
        ("warning: hot", "LOG_LEVEL_INFO", 3),
        ("broken", "LOG_LEVEL_ERROR", 4),
    ]


@pytest.mark.parametrize(("status", "state"), [("finished", "FINISHED"), ("failed", "CRASHED"), ("killed", "ABORTED")])
def test_the_true_status_is_stored(run: SomeRun, status: str, state: str) -> None:
    from swanlab.proto.swanlab.run.v1.run_pb2 import RunState

    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows(rows(range(2)))
    sealed_state(tracker, status)
    (finish,) = of_kind(run.path, "finish")
    assert RunState.Name(finish.state) == f"RUN_STATE_{state}"
    assert finish.error == ("" if status == "finished" else f"run {status}")
    assert finish.finished_at.seconds + finish.finished_at.nanos / 1e9 == START + 0.001


def test_swanlab_sync_accepts_the_folder(run: SomeRun) -> None:
    from swanlab.proto.swanlab.grpc.core.v1.sync_pb2 import DeliverSyncStartRequest
    from swanlab.proto.swanlab.settings.core.v1.core_pb2 import CoreSettings
    from swanlab.sdk.internal.core_python.sync import CoreSyncPython

    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows(rows(range(2)))
    sealed_state(tracker)
    (folder,) = folders(run.path)
    sync = CoreSyncPython()
    answer = sync.deliver_sync_start(
        DeliverSyncStartRequest(core_settings=CoreSettings(run_id="x", run_dir=str(folder)))
    )
    sync._reader.close()
    assert (answer.success, answer.message) == (True, "success")


def test_the_same_key_and_step_twice_is_kept_twice_in_order(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows([Row({"x": float(n)}, 5, START + n, n) for n in (1, 2)] + [Row({"x": 3.0}, 4, START + 3, 3)])
    assert tracker.read_back("x") == [(5, 1.0, START + 1), (5, 2.0, START + 2), (4, 3.0, START + 3)]


def test_a_step_that_swanlab_would_drop_is_set_aside_and_the_others_are_stored(runs: Path) -> None:
    with trackhub.start(trackers="swanlab") as run:
        for step in (0, -1, 2**48 + 1, 2**48):
            run.log_metrics({"x": 1.0}, step=step)
    assert [step for _, step, _, _ in points(run.path)] == [0, 2**48]
    (receipt,) = run.receipts()
    assert receipt.rejected == 2


@pytest.mark.parametrize("key", ["a\nb", " a", "a ", "/a/", ".a", "a.", "__swanlab__.cpu", "\x7f", "..."])
def test_forbidden_pieces_of_keys_are_found_so_that_they_are_mapped(key: str) -> None:
    from swanlab.sdk.internal.pkg.constraints import ta_metric_key

    forbidden = re.compile(SwanlabTracker.limits.key_forbidden)
    mapped = forbidden.sub(lambda match: "".join(f"%{ord(char):02X}" for char in match[0]), key)
    assert mapped != key
    assert ta_metric_key.validate_python(mapped) == mapped.strip(" ./") == mapped
    assert not mapped.startswith("__swanlab__.")


@pytest.mark.parametrize("key", ["a b", "a/b.c", "深", "a__swanlab__.b", "%41"])
def test_other_keys_stay_as_they_are(key: str) -> None:
    assert not re.search(SwanlabTracker.limits.key_forbidden, key)


def test_flush_says_unsealed_but_readers_see_everything(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    assert tracker.flush() == (True, {"mode": "offline", "sealed": {}, "lines": 0, "last": run.started, "columns": {}})
    tracker.log_rows(rows(range(5)))
    assert tracker.flush() == (False, None)
    assert points(run.path) == expected(range(5))


def test_a_full_folder_is_sealed_and_the_next_one_goes_on(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run, fragment_events=10)
    tracker.log_rows(rows(range(10)))
    sealed, state = tracker.flush()
    assert sealed and list(state["sealed"]) == [folders(run.path)[0].name]
    tracker.log_rows(rows(range(10, 15)))
    assert tracker.flush() == (False, None)
    assert len(sealed_state(tracker)["sealed"]) == len(folders(run.path)) == 2
    assert points(run.path) == expected(range(15))
    assert {start.id for start in of_kind(run.path, "start")} == {run.id}
    assert len(of_kind(run.path, "finish")) == 2


def test_an_unfinished_folder_is_discarded_and_delivered_again(run: SomeRun) -> None:
    first = open_tracker(SwanlabTracker, run, fragment_events=10)
    first.log_rows(rows(range(10)))
    state = first.flush()[1]
    first.log_rows(rows(range(10, 17)))
    first.flush()
    second = open_tracker(SwanlabTracker, run, state, fragment_events=10)
    second.log_rows(rows(range(10, 20)))
    sealed_state(second)
    assert points(run.path) == expected(range(20))
    assert [point[0] for point in second.read_back("train/loss")] == list(range(20))


def test_a_folder_that_was_sealed_but_not_recorded_is_delivered_again(run: SomeRun) -> None:
    first = open_tracker(SwanlabTracker, run)
    first.log_rows(rows(range(5)))
    first.on_run_end("finished", {})
    second = open_tracker(SwanlabTracker, run, None)
    second.log_rows(rows(range(5)))
    sealed_state(second)
    assert points(run.path) == expected(range(5))


def test_a_process_that_dies_in_the_middle_leaves_each_point_once(run: SomeRun) -> None:
    child = """
    tracker = open_tracker(SwanlabTracker, run, fragment_events=100)
    tracker.log_rows(rows(0, 100))
    print(json.dumps(tracker.flush()[1]), flush=True)
    tracker.log_rows(rows(100, 5000))
    tracker.flush()
    tracker.log_rows(rows(5000, 5001))
    os.kill(os.getpid(), signal.SIGKILL)
    """
    done = in_child(child, run.path, check=False)
    assert done.returncode == -9
    state = json.loads(done.stdout)
    tracker = open_tracker(SwanlabTracker, run, state)
    tracker.log_rows(rows(range(100, 6000)))
    sealed_state(tracker)
    assert points(run.path) == expected(range(6000))


@pytest.mark.parametrize("damage", ["remove", "cut"])
def test_a_damaged_sealed_folder_is_rebuilt(run: SomeRun, damage: str) -> None:
    tracker = open_tracker(SwanlabTracker, run, fragment_events=5)
    for start in (0, 5):
        tracker.log_rows(rows(range(start, start + 5)))
        state = tracker.flush()[1]
    (path,) = folders(run.path)[0].glob("run-*.swanlab")
    path.unlink() if damage == "remove" else os.truncate(path, path.stat().st_size - 3)
    with pytest.raises(Rebuild):
        open_tracker(SwanlabTracker, run, state)
    assert folders(run.path) == []


def test_a_rewind_discards_our_folders_and_no_others(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run, fragment_events=5)
    tracker.log_rows(rows(range(5)))
    tracker.flush()
    tracker.log_rows(rows(range(5, 8)))
    for name in ("run-20250101_000000-someone-elses", "notes", f"run-20250101_000000-{run.id}-copy"):
        (run.path / "swanlab_logs" / name).mkdir()
    with pytest.raises(Rebuild, match="step 3"):
        tracker.on_rewind(3)
    left = {path.name for path in (run.path / "swanlab_logs").iterdir()}
    assert left == {"run-20250101_000000-someone-elses", "notes", f"run-20250101_000000-{run.id}-copy"}
    tracker.on_run_start(run, None)
    tracker.log_rows(rows(range(4)))
    assert tracker.read_back("train/loss") == [point[1:] for point in expected(range(4))]


def test_opening_and_reading_changes_nothing(run: SomeRun) -> None:
    writer = open_tracker(SwanlabTracker, run)
    writer.log_rows(rows(range(5)))
    writer.flush()
    reader = open_tracker(SwanlabTracker, run)
    assert len(reader.read_back("train/loss")) == 5
    assert reader.flush()[0]
    assert points(run.path) == expected(range(5))


def test_a_resumed_run_goes_on_under_the_same_id_with_its_configuration(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_params({"lr": 1.0, "late": {"x": [1]}})
    tracker.log_rows(rows(range(3)))
    state = sealed_state(tracker, "killed")
    again = open_tracker(SwanlabTracker, run, state)
    assert again.flush() == (True, state)
    again.log_rows(rows(range(3, 6)))
    sealed_state(again)
    old, new = folders(run.path)
    assert points(run.path) == expected(range(6))
    assert {start.id for start in of_kind(run.path, "start")} == {run.id}
    config = yaml.safe_load((new / "files" / "config.yaml").read_text(encoding="utf-8"))
    assert config == yaml.safe_load((old / "files" / "config.yaml").read_text(encoding="utf-8"))
    assert list(records(new))[-1].finish.error == ""


def test_a_run_that_was_in_the_cloud_is_rebuilt_offline(run: SomeRun) -> None:
    with pytest.raises(Rebuild):
        open_tracker(SwanlabTracker, run, {"mode": "cloud", "lines": 0})


def test_cloud_without_a_key_names_the_variable(monkeypatch: pytest.MonkeyPatch, run: SomeRun) -> None:
    monkeypatch.delenv("SWANLAB_API_KEY", raising=False)
    with pytest.raises(ValueError, match="SWANLAB_API_KEY"):
        open_tracker(SwanlabTracker, run, mode="cloud")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"project": "a b"}, "project='a b'"),
        ({"workspace": "a.b"}, "workspace='a.b'"),
        ({"mode": "online"}, "'online'"),
        ({"fragment_events": 0}, ">= 1"),
    ],
)
def test_wrong_options_are_told_before_anything_starts(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        making.make("swanlab", SwanlabTracker, given)


def test_right_options_are_taken() -> None:
    given = {"project": "a-b.c", "workspace": "us", "fragment_events": "7", "host": None}
    making.make("swanlab", SwanlabTracker, given)


def test_cloud_states_its_own_rule() -> None:
    plugin = SwanlabTracker(SwanlabTracker.Options(mode="cloud", api_key="k"))
    assert (plugin.idempotence, plugin.rewinds) == ("known_step", "append")
    assert (SwanlabTracker.idempotence, SwanlabTracker.rewinds) == ("rebuild", "replace")


PREAMBLE = """
import json, os, signal, socket, sys
from pathlib import Path
from trackhub.plugin import Row
from trackhub.testing import SomeRun, open_tracker
from trackhub_swanlab import SwanlabTracker
assert "swanlab" not in sys.modules

original = socket.socket.connect, socket.getaddrinfo

def refuse(*a, **k):
    raise AssertionError("a network call")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse

def ask(*a, **k):
    raise AssertionError("a prompt")
import builtins
builtins.input = ask

def rows(start, end):
    return [Row({"train/loss": s / 7}, s, %r + s * 0.001, s + 1) for s in range(start, end)]

run = SomeRun(Path(sys.argv[1]), params={"lr": 1e-4})
"""


def in_child(code: str, run: Path, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    script = PREAMBLE % START + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-P", "-c", script, str(run)], capture_output=True, text=True, check=check, **options
    )


WHOLE = """
threads = __import__("threading").active_count()
tracker = open_tracker(SwanlabTracker, run)
tracker.log_params({"lr": 1e-4})
tracker.log_rows(rows(0, 50))
tracker.flush()
tracker.on_run_end("finished", {})
assert tracker.flush()[0]
assert __import__("threading").active_count() == threads
heavy = {"torch", "transformers", "tensorflow", "pandas", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
"""

NONSENSE = {
    "SWANLAB_MODE": "nonsense",
    "SWANLAB_LOG_DIR": "/nowhere",
    "SWANLAB_RUN_ID": "<>",
    "SWANLAB_PROJ_NAME": "!!",
    "SWANLAB_PROJECT": "{",
    "SWANLAB_SAVE_DIR": "/dev/null/x",
    "SWANLAB_ROOT": "/dev/null",
    "SWANLAB_PROBE_HARDWARE": "maybe",
    "SWANLAB_API_HOST": ":::",
    "SWANLAB_WEBHOOK": "http://127.0.0.1:9/",
    "SWANLAB_CORE_SKIP_STORE": "true",
    "SWANLAB_RUN_RESUME": "must",
    "SWANLAB_CONFIG_DIR": "/dev/null",
    "SWANLAB_SECRETS_DIR": "/dev/null",
}


def everything_under(*places: Path) -> set[str]:
    return {str(path) for place in places for path in place.rglob("*")}


@pytest.mark.parametrize("case", ["plain", "nonsense", "no home", "read-only home", "hostile folder"])
def test_nothing_around_the_run_reaches_it_or_is_touched(run: SomeRun, tmp_path: Path, case: str) -> None:
    home, cwd, temp = tmp_path / "home", tmp_path / "cwd", tmp_path / "temp"
    for place in (home, cwd, temp):
        place.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SWANLAB_")}
    environment |= {"HOME": str(home), "TMPDIR": str(temp)} | (NONSENSE if case == "nonsense" else {})
    if case == "no home":
        del environment["HOME"]
    if case == "hostile folder":
        (cwd / ".env").write_text("SWANLAB_MODE=disabled\nSWANLAB_LOG_DIR=/nowhere\n")
        (cwd / "swanlab.yaml").write_text("mode: disabled\n")
        (cwd / "swanlab.py").write_text("raise SystemExit('the wrong swanlab')\n")
    if case == "read-only home":
        home.chmod(0o500)
    before = everything_under(home, cwd, temp)
    done = in_child(WHOLE, run.path, cwd=cwd, env=environment, stdin=subprocess.DEVNULL)
    assert case == "nonsense" or done.stdout + done.stderr == ""
    assert everything_under(home, cwd, temp) == before
    assert points(run.path) == expected(range(50))
    assert {path.name for path in run.path.parent.iterdir()} == {run.path.name, "swanlab_workspace"}
    assert {path.name for path in run.path.iterdir()} == {"swanlab_logs"}


ANSWER = {
    "sid": "s",
    "expiredAt": "2099-01-01T00:00:00.000Z",
    "userInfo": {"username": "u"},
    "cuid": "c",
    "name": "n",
    "group": {"username": "u"},
    "_count": {"experiments": 0},
    "path": "/u/p",
    "slug": "x",
}


class StandIn(ThreadingHTTPServer):
    """Answers as SwanLab's client expects it, and keeps what was sent: no real server is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), StandInHandler)
        self.sent: list[tuple[str, Any]] = []
        self.host = f"http://127.0.0.1:{self.server_port}"

    def points(self) -> list[tuple[str, int, float, str]]:
        scalars = [body for path, body in self.sent if path.endswith("/metrics") and body["type"] == "scalar"]
        return [(m["key"], m["index"], m["data"], m["create_time"]) for body in scalars for m in body["metrics"]]

    def found(self, ending: str, field: str) -> list[Any]:
        return [body[field] for path, body in self.sent if path.endswith(ending) and field in body]


class StandInHandler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *arguments: object) -> None:
        return

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.sent.append((self.path, json.loads(body or b"{}")))
        answer = json.dumps(ANSWER).encode()
        self.send_response(201 if self.path.endswith("/experiment") else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST  # noqa: N815 - the names that http.server asks for


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


IN_THE_CLOUD = """
import time
socket.socket.connect, socket.getaddrinfo = original
tracker = open_tracker(SwanlabTracker, run, mode="cloud", host=os.environ["STAND_IN"])
tracker.log_params({"b": {"c": 1}})
tracker.log_rows(rows(0, 20))
for _ in range(100):
    sealed, state = tracker.flush()
    if sealed:
        break
    time.sleep(0.1)
print(json.dumps(state))
tracker.on_run_end("killed", {})
assert tracker.flush()[0]
assert "torch" not in sys.modules
"""


def uploaded(steps: range) -> list[tuple[str, int, float, str]]:
    times = [datetime.fromtimestamp(START + step * 0.001, UTC) for step in steps]
    return [("train/loss", step, step / 7, when.isoformat()[:23]) for step, when in zip(steps, times, strict=True)]


def to_the_millisecond(sent: list[tuple[str, int, float, str]]) -> list[tuple[str, int, float, str]]:
    return [(*point[:3], point[3][:23]) for point in sent]


def test_cloud_sends_every_point_with_its_time_and_the_status(run: SomeRun, stand_in: StandIn) -> None:
    environment = os.environ | NONSENSE | {"SWANLAB_API_KEY": "k" * 21, "STAND_IN": stand_in.host}
    del environment["SWANLAB_WEBHOOK"]
    script = IN_THE_CLOUD.replace("import time", "import time\nsocket.socket.connect, socket.getaddrinfo = original", 1)
    done = in_child(script, run.path, env=environment, stdin=subprocess.DEVNULL)
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "mode": "cloud",
        "lines": 0,
        "config": {"lr": 1e-4, "b": {"c": 1}},
        "columns": {"train/loss": "scalar"},
    }
    assert to_the_millisecond(stand_in.points()) == uploaded(range(20))
    assert [entry["value"] for entry in stand_in.found("/profile", "config")[-1].values()] == [{"c": 1}, 1e-4]
    assert stand_in.found("/experiment", "cuid") == [run.id]
    assert stand_in.found("/state", "state") == ["ABORTED"]
    assert list(run.path.iterdir()) == []


def test_swanlab_sync_uploads_the_folders_of_one_run_into_one_experiment(
    run: SomeRun, stand_in: StandIn, tmp_path: Path
) -> None:
    run.params = {"lr": 1.0}
    tracker = open_tracker(SwanlabTracker, run, fragment_events=5)
    for start in (0, 5):
        tracker.log_rows(rows(range(start, start + 5)))
        tracker.flush()
    sealed_state(tracker, "failed")
    environment = os.environ | {"HOME": str(tmp_path)}
    for folder in folders(run.path):
        command = ["swanlab", "sync", "-k", "k" * 21, "-h", stand_in.host, "-i", run.id, str(folder)]
        code = f"import sys; sys.argv = {command!r}; from swanlab.cli import cli; cli()"
        subprocess.run([sys.executable, "-P", "-c", code], env=environment, check=True, capture_output=True)
    assert to_the_millisecond(stand_in.points()) == uploaded(range(10))
    assert stand_in.found("/profile", "config")[-1]["lr"]["value"] == 1.0
    assert set(stand_in.found("/experiment", "cuid")) == {run.id}
    assert stand_in.found("/state", "state") == ["FINISHED", "FINISHED", "CRASHED"]
