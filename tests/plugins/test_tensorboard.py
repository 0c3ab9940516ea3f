"""The TensorBoard tracker against the real thing: its own reader, and its own server asked over HTTP."""

from __future__ import annotations

import json
import math
import os
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trackhub_tensorboard import TensorboardTracker

import trackhub
from trackhub import making
from trackhub.delivery.facade import Tracker
from trackhub.errors import ConfigError
from trackhub.events import Message
from trackhub.journal import read
from trackhub.layout import all_runs
from trackhub.plugin import Rebuild, Row
from trackhub.testing import SomeRun, open_tracker

START = 1_767_225_601.123456
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
    "nul\0",
    "trackhub/x",
]
NUMBERS = [0.0, -0.0, 0.1, math.nan, math.inf, -math.inf, 3.4e38, 1e-45, 5e-324, 2**24 + 1, -(2**60), 3]
Point = tuple[int, float, float]


def narrow(value: float) -> float:
    """`value` as a 32-bit float."""
    narrowed: float = struct.unpack("f", struct.pack("f", value))[0]
    return narrowed


def event_files(run: Path) -> list[Path]:
    return sorted((run / "tensorboard_logs").glob("*tfevents*"))


def loaded(run: Path) -> EventAccumulator:
    """All that TensorBoard reads in the run's folder."""
    return EventAccumulator(str(run / "tensorboard_logs"), size_guidance={"scalars": 0, "tensors": 0}).Reload()


def points(run: Path, key: str) -> list[Point]:
    return [(event.step, event.value, event.wall_time) for event in loaded(run).Scalars(key)]


def texts(run: Path, name: str) -> list[tuple[int, str, float]]:
    found = loaded(run).Tensors(f"trackhub/{name}")
    return [(event.step, event.tensor_proto.string_val[0].decode(), event.wall_time) for event in found]


def of_journal(path: Path, key: str) -> list[Point]:
    rows = [event for event in read(path) if type(event).__name__ == "Metrics"]
    return [(row.step, narrow(row.metrics[key]), row.t) for row in rows if key in row.metrics]


def flushed(tracker: Tracker) -> dict[str, Any]:
    sealed, state = tracker.flush()
    assert sealed
    return json.loads(json.dumps(state))


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path)


def test_every_key_step_value_and_time_is_read_back(run: SomeRun) -> None:
    rows = [Row(dict.fromkeys(KEYS, value), 10**9 * step, START + step / 3, step) for step, value in enumerate(NUMBERS)]
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows(rows[:5])
    tracker.log_rows(rows[5:])
    state = flushed(tracker)
    expected = [(row.step, narrow(row.metrics["loss"]), row.timestamp) for row in rows]
    assert set(loaded(run.path).Tags()["scalars"]) == set(KEYS)
    again = open_tracker(TensorboardTracker, run, state)
    for key in KEYS:
        assert repr(points(run.path, key)) == repr(tracker.read_back(key)) == repr(expected)
        assert repr(again.read_back(key)) == repr(expected)
    assert tracker.read_back("never logged") == []


def test_steps_go_anywhere_in_64_bits_and_repeat(run: SomeRun) -> None:
    steps = [5, 5, -1, 2**63 - 1, -(2**63), 0]
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([Row({"x": float(number)}, step, START, number) for number, step in enumerate(steps)])
    assert [(step, value) for step, value, _ in points(run.path, "x")] == [
        *zip(steps, map(float, range(6)), strict=True)
    ]


def test_a_row_beyond_64_bits_is_set_aside_and_the_others_are_stored(runs: Path) -> None:
    with trackhub.start(trackers="tensorboard") as run:
        for step in (0, 2**63, -(2**63) - 1, 1):
            run.log_metrics({"x": 1.0}, step=step)
    assert [step for step, _, _ in points(run.path, "x")] == [0, 1]
    (receipt,) = run.receipts()
    assert receipt.rejected == 2
    for told, step in zip(receipt.rejections, (2**63, -(2**63) - 1), strict=True):
        assert told.startswith(f"metrics at step {step}: x: the backend takes steps from ")


def test_a_finite_value_that_becomes_infinite_is_said_once(run: SomeRun, caplog: pytest.LogCaptureFixture) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([Row({"x": -1e39, "y": math.inf, "z": 3.4028235e38}, step, START, step) for step in range(3)])
    assert [value for _, value, _ in points(run.path, "x")] == [-math.inf] * 3
    assert [value for _, value, _ in points(run.path, "z")] == [narrow(3.4028235e38)] * 3
    (said,) = [record.getMessage() for record in caplog.records]
    assert "x = -1e+39 at step 0 is beyond 32-bit floats" in said


def test_the_file_is_named_and_begins_as_tensorboard_wants_it(run: SomeRun) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.flush()
    tracker.log_rows([Row({"x": 1.0}, 0, START, 1)])
    (file,) = event_files(run.path)
    assert file.name == f"events.out.tfevents.1767225600.trackhub.{run.id}.000"
    assert run.remembered["file"] == f"tensorboard_logs/{file.name}"
    events = EventAccumulator(str(file)).Reload()
    assert (events.file_version, events.FirstEventTimestamp()) == (2.0, run.started)
    assert events.GetSourceWriter() == "trackhub_tensorboard"


def test_parameters_messages_and_the_status_are_texts(run: SomeRun) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_params({"lora": {"r": 16}, "clip": math.inf, "path": Path("a")})
    tracker.log_params({"深": None})
    tracker.log_rows([Row({"x": 1.0}, 7, START, 1)])
    tracker.log_message(Message(n=1, t=START + 1, text="half way \ud800"))
    tracker = open_tracker(TensorboardTracker, run, flushed(tracker))
    tracker.log_message(Message(n=2, t=START + 2, text="hot", level="warning"))
    tracker.on_run_end("killed", {})
    stored = [text.removeprefix("```json\n").removesuffix("\n```") for _, text, _ in texts(run.path, "params")]
    assert [*map(json.loads, stored)] == [{"lora": {"r": 16}, "clip": "Infinity", "path": "a"}, {"深": None}]
    assert texts(run.path, "messages") == [(2, "half way \\ud800", START + 1), (3, "warning: hot", START + 2)]
    assert texts(run.path, "status") == [(4, "killed", START)]


def test_metrics_cannot_have_the_names_of_those_texts() -> None:
    forbidden = re.compile(TensorboardTracker.limits.key_forbidden)
    assert all(forbidden.search(f"trackhub/{name}") for name in ("params", "messages", "status"))
    assert not any(
        forbidden.search(key) for key in [*KEYS, "trackhub/params/x", "my/trackhub/params", "trackhub/status2"]
    )


def test_a_torn_record_behind_the_state_is_cut_off(run: SomeRun) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([Row({"x": 1.0}, 0, START, 1)])
    state = flushed(tracker)
    tracker.log_rows([Row({"x": 2.0}, 1, START, 2)])
    (file,) = event_files(run.path)
    os.truncate(file, file.stat().st_size - 5)
    tracker = open_tracker(TensorboardTracker, run, state)
    tracker.log_rows([Row({"x": 3.0}, 1, START, 2)])
    assert [value for _, value, _ in points(run.path, "x")] == [1.0, 3.0]


def test_a_replay_writes_the_same_bytes_so_that_an_open_tensorboard_reads_on(run: SomeRun) -> None:
    rows = [Row({"x": step / 7, "y": 1.0}, step, START + step, step) for step in range(100)]
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows(rows[:10])
    state = flushed(tracker)
    tracker.log_rows(rows[10:])
    (file,) = event_files(run.path)
    before = file.read_bytes()
    tracker = open_tracker(TensorboardTracker, run, state)
    for row in rows[10:]:
        tracker.log_rows([row])
    assert file.read_bytes() == before


def test_a_rewind_leaves_one_file_under_a_new_name(run: SomeRun) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([Row({"x": 1.0}, 0, START, 1)])
    state = flushed(tracker)
    with pytest.raises(Rebuild, match="step 3"):
        tracker.on_rewind(3)
    with pytest.raises(Rebuild, match=r"\.000 and is tensorboard_logs/.*\.001 now"):
        open_tracker(TensorboardTracker, run, state)
    open_tracker(TensorboardTracker, run).log_rows([Row({"x": 2.0}, 0, START, 1)])
    assert [file.name[-4:] for file in event_files(run.path)] == [".001"]
    assert [value for _, value, _ in points(run.path, "x")] == [2.0]


@pytest.mark.parametrize("name", ["../up", "a/b", "/tmp/x", "", ".", "..", "a\\b", "x\0", "config.yaml"])
def test_a_folder_that_is_not_plainly_in_the_run_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="plain folder name"):
        making.make("tensorboard", TensorboardTracker, {"log_dir": name})


def test_the_folder_can_be_chosen(run: SomeRun) -> None:
    tracker = open_tracker(TensorboardTracker, run, log_dir="tb")
    tracker.log_rows([Row({"x": 1.0}, 0, START, 1)])
    assert len(list((run.path / "tb").glob("events.out.tfevents.*"))) == 1
    assert tracker.read_back("x") == [(0, 1.0, START)]


LIGHT = """
import sys, trackhub_tensorboard
assert not [name for name in sys.modules if name.startswith("tensorboard")], "the SDK was imported with the module"
from pathlib import Path
from trackhub.plugin import Row
from trackhub.testing import SomeRun, open_tracker
tracker = open_tracker(trackhub_tensorboard.TensorboardTracker, SomeRun(Path(sys.argv[1])))
tracker.log_rows([Row({"x": 1.0}, 0, 1.5, 1)])
tracker.log_params({"lr": 1.0})
tracker.flush()
assert tracker.read_back("x") == [(0, 1.0, 1.5)]
print(sorted({name.partition(".")[0] for name in sys.modules} & {"torch", "tensorflow", "grpc", "pandas", "lightning"}))
"""


def test_neither_torch_nor_tensorflow_is_imported(run: SomeRun) -> None:
    command = [sys.executable, "-W", "error", "-c", LIGHT, str(run.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@contextmanager
def server(logdir: Path, *flags: str) -> Iterator[str]:
    """A real TensorBoard on this machine; yields its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--host", "127.0.0.1", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--reload_interval", "1", *flags], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    try:
        yield next(found[0] for line in process.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+/", line)))
    finally:
        process.terminate()
        process.wait(10)
        process.stderr.close()


def asked(address: str, path: str, **query: str) -> Any:
    with urlopen(f"{address}data/plugin/{path}?{urlencode(query)}", timeout=10) as answer:  # noqa: S310 - http
        return json.load(answer)


def shown(address: str, run: str, tag: str, until: int) -> list[Point]:
    """What the Scalars dashboard gets, once its last step is `until`."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if tag in asked(address, "scalars/tags").get(run, {}):
            found = asked(address, "scalars/scalars", run=run, tag=tag)
            if found[-1][1] == until:
                return [(step, value, moment) for moment, step, value in found]
        time.sleep(0.1)
    raise AssertionError(f"{tag} of {run} never came to step {until}")


def test_a_real_tensorboard_shows_the_run(runs: Path) -> None:
    with trackhub.start(trackers="tensorboard", config={"lr": 0.1}, name="shown") as run:
        for step in range(50):
            run.log_metrics({"train/loss": step / 7, "深度/学习": 1.0}, step=step)
        run.log_message("**done**")
    name = f"{run.name}/tensorboard_logs"
    with server(runs, "--load_fast=false") as address:
        assert shown(address, name, "train/loss", 49) == of_journal(run.path, "train/loss")
        assert set(asked(address, "scalars/tags")[name]) == {"train/loss", "深度/学习"}
        assert (
            asked(address, "text/text", run=name, tag="trackhub/messages")[0]["text"] == "<p><strong>done</strong></p>"
        )
        assert "&quot;lr&quot;: 0.1" in asked(address, "text/text", run=name, tag="trackhub/params")[0]["text"]


def test_an_open_tensorboard_follows_a_rewind(runs: Path) -> None:
    with trackhub.start(trackers="tensorboard", name="rewound") as run:
        for step in range(10):
            run.log_metrics({"a": float(step)}, step=step)
    with server(runs, "--load_fast=true") as address:
        assert len(shown(address, f"{run.name}/tensorboard_logs", "a", 9)) == 10
        with trackhub.resume(run.path, step=4) as again:
            for step in range(5, 8):
                again.log_metrics({"a": 100.0 + step}, step=step)
        assert shown(address, f"{run.name}/tensorboard_logs", "a", 7) == of_journal(run.path, "a")
    assert points(run.path, "a") == of_journal(run.path, "a")
    assert [value for _, value, _ in points(run.path, "a")] == [0, 1, 2, 3, 4, 105, 106, 107]


def test_a_run_that_never_had_it_is_filled_later(runs: Path) -> None:
    with trackhub.start(trackers="none", config={"lr": 0.1}) as run:
        for step in range(2500):
            run.log_metrics({"a": step / 3, "n": 2**60}, step=step)
    for _ in range(2):
        command = [sys.executable, "-m", "trackhub", "sync", str(run.path), "--to", "tensorboard"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert points(run.path, "a") == of_journal(run.path, "a")
    assert [text for _, text, _ in texts(run.path, "status")] == ["finished"]
    assert len(event_files(run.path)) == 1


KILLED = """
import time, trackhub
run = trackhub.start(trackers="tensorboard", name="killed")
print("started", flush=True)
for step in range(10_000_000):
    run.log_metrics({"a": step / 3}, step=step)
    time.sleep(0.0005)
"""


def test_after_kill_9_of_everything_each_point_is_there_once(runs: Path) -> None:
    from trackhub.testing.processes import MARK, marked

    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    until = time.monotonic() + 10
    while not any(file.stat().st_size for file in runs.glob("*/tensorboard_logs/*")) and time.monotonic() < until:
        time.sleep(0.01)
    for one in marked(os.environ[MARK]):
        one.kill()
    process.wait()
    process.stdout.close()
    (folder,) = all_runs(runs)
    command = [sys.executable, "-m", "trackhub", "sync", str(folder.path)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert points(folder.path, "a") == of_journal(folder.path, "a")
    assert [text for _, text, _ in texts(folder.path, "status")] == ["killed"]
