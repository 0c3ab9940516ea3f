"""Media at SwanLab: beside what the real SDK writes for the same values, and through its own upload."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from PIL import Image
from swanlab_reader import folders, of_kind, points, records
from test_swanlab import START, StandIn, StandInHandler, in_child, sealed_state
from trackhub_swanlab import SwanlabTracker

import trackhub
from trackhub.delivery.facade import Tracker
from trackhub.events import Media
from trackhub.journal import read
from trackhub.plugin import Rejected, Row
from trackhub.testing import SomeRun, open_tracker

COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
TABLE = {"columns": ["a", "b"], "data": [[1, "x"], [None, "Infinity"]]}
HISTOGRAM = {"edges": [0.0, 0.5, 2.0], "counts": [3, 4]}


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, format=form)
    return buffer.getvalue()


CONTENTS: dict[str, tuple[str, bytes]] = {
    "image": ("png", encoded("PNG")),
    "figure": ("jpg", encoded("JPEG")),
    "video": ("gif", encoded("GIF")),
    "audio": ("wav", b"RIFF\0\0\0\0WAVE"),
    "text": ("txt", "**text** 一段".encode()),
    "html": ("html", b"<p>a page</p>"),
    "table": ("json", json.dumps(TABLE).encode()),
    "histogram": ("json", json.dumps(HISTOGRAM).encode()),
}
FOLDERS = {"figure": "image", "video": "image", "table": "echarts", "histogram": "echarts"}
"""Where SwanLab keeps what is not named by its own kind; a video has an image's column, too."""


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path)


def medium(run: SomeRun, kind: str, key: str, step: int, caption: str = "", ending: str = "") -> Media:
    usual, content = CONTENTS[kind]
    path = run.path / "media" / f"{kind}.{ending or usual}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    digest = sha256(content).hexdigest()
    named = {"media_kind": kind, "path": str(path), "sha256": digest, "caption": caption}
    return Media(n=1, t=START + step, key=key, step=step, **named)


def stored(run: Path) -> dict[tuple[str, int], tuple[str, bytes, str, float]]:
    """(column type, content, caption, time) by (key, step), over all folders; every hash and size is right."""
    from swanlab.proto.swanlab.metric.column.v1.column_pb2 import ColumnType

    found = {}
    for folder in folders(run):
        for record in records(folder):
            if record.WhichOneof("record_type") != "media":
                continue
            one = record.media
            kind = ColumnType.Name(one.type).removeprefix("COLUMN_TYPE_").lower()
            (item,) = one.value.items
            content = (folder / "media" / kind / item.filename).read_bytes()
            assert (item.sha256, item.size) == (sha256(content).hexdigest(), len(content))
            assert item.filename.startswith(f"{one.step:03d}-{item.sha256[:8]}")
            moment = one.timestamp.seconds + one.timestamp.nanos / 1e9
            found[one.key, one.step] = (kind, content, item.caption, moment)
    return found


@pytest.mark.parametrize("kind", CONTENTS)
def test_every_kind_is_read_back(run: SomeRun, kind: str) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_media(medium(run, kind, "val/深 度", 7, "a caption"))
    tracker.log_media(medium(run, kind, "val/深 度", 2**48))
    sealed_state(tracker)
    found = stored(run.path)
    assert set(found) == {("val/深 度", 7), ("val/深 度", 2**48)}
    folder, content, caption, moment = found["val/深 度", 7]
    assert (folder, caption, moment) == (FOLDERS.get(kind, kind), "a caption", START + 7)
    if folder != "echarts":
        assert content == CONTENTS[kind][1]
    (column,) = of_kind(run.path, "column")
    assert (column.column_key, column.section_name) == ("val/深 度", "val")


REAL = """
import json, sys
import swanlab
from swanlab import echarts
from swanlab.sdk.internal.pkg import console
from swanlab.sdk.internal.run.transforms.echarts import ECharts
console.c.quiet = True
probes = ("hardware", "runtime", "requirements", "conda", "git", "swanlab", "monitor")
settings = swanlab.Settings(
    interactive=False,
    terminal=swanlab.Settings.Terminal(proxy_type="none"),
    probe=swanlab.Settings.Probe(**dict.fromkeys(probes, False)),
)
run = swanlab.init(mode="offline", project="p", id="real", log_dir=sys.argv[1] + "/swanlab_logs", settings=settings)
table = echarts.Table()
table.add(["a", "b"], [[1, "x"], [None, "Infinity"]])
run.log(
    {
        "image": swanlab.Image(sys.argv[2] + "/image.png", caption="c"),
        "video": swanlab.Video(sys.argv[2] + "/video.gif", caption="c"),
        "text": swanlab.Text(open(sys.argv[2] + "/text.txt").read(), caption="c"),
        "html": swanlab.Html("<p>a page</p>", caption="c"),
        "table": ECharts(table, caption="c"),
    },
    step=7,
)
run.finish()
"""


def test_the_records_and_files_are_those_of_the_real_sdk(run: SomeRun, tmp_path: Path) -> None:
    kinds = ["image", "video", "text", "html", "table"]
    tracker = open_tracker(SwanlabTracker, run)
    for kind in kinds:
        tracker.log_media(medium(run, kind, kind, 7, "c"))
    sealed_state(tracker)
    real = tmp_path / "real"
    command = [sys.executable, "-P", "-c", REAL, str(real), str(run.path / "media")]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "HOME": str(tmp_path)})
    theirs, ours = stored(real), stored(run.path)
    assert set(theirs) == set(ours) == {(kind, 7) for kind in kinds}
    for kind in kinds:
        (folder, content, caption, _), (our_folder, our_content, our_caption, _) = theirs[kind, 7], ours[kind, 7]
        assert (our_folder, our_caption) == (folder, caption)
        if kind == "table":
            assert json.loads(our_content) == json.loads(content)
        elif kind == "image":  # the SDK encodes it again
            assert np.array_equal(*(np.asarray(Image.open(io.BytesIO(one))) for one in (content, our_content)))
        else:
            assert our_content == content
    columns = [
        {(c.column_key, c.column_type, c.section_name) for c in of_kind(path, "column")} for path in (real, run.path)
    ]
    assert columns[0] == columns[1]


def test_a_table_may_have_two_columns_of_one_name(run: SomeRun) -> None:
    from trackhub_swanlab import media

    content = media._table(b'{"columns":["a","a","a (2)","a"],"data":[[1,2,3,4]]}')
    assert json.loads(content)["rowData"] == [{"a": 1, "a (2)": 2, "a (2) (2)": 3, "a (3)": 4}]


def test_a_histogram_is_bars_named_by_their_edges(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_media(medium(run, "histogram", "h", 1))
    sealed_state(tracker)
    chart = json.loads(stored(run.path)["h", 1][1])
    assert (chart["xAxis"][0]["data"], chart["series"][0]["data"]) == (["0.0 .. 0.5", "0.5 .. 2.0"], [3, 4])


def test_the_same_content_under_two_keys_at_one_step_is_one_file(run: SomeRun) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    for key in ("a", "b"):
        tracker.log_media(medium(run, "image", key, 7))
        tracker.log_media(medium(run, "table", f"{key}/table", 7))
    sealed_state(tracker)
    assert len(stored(run.path)) == 4
    assert len(list(run.path.glob("swanlab_logs/*/media/*/*"))) == 2


@pytest.mark.parametrize(("kind", "ending"), [("audio", "mp3"), ("video", "mp4"), ("video", "webm")])
def test_a_format_that_swanlab_does_not_take_is_set_aside(run: SomeRun, kind: str, ending: str) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    with pytest.raises(Rejected, match=rf"SwanLab takes {kind} as .*, not as \.{ending}"):
        tracker.log_media(medium(run, kind, "key", 1, ending=ending))
    tracker.log_rows([Row({"key": 1.0}, 1, START, 1)])
    assert tracker.read_back("key") == [(1, 1.0, START)]


def row(key: str, step: int) -> Row:
    return Row({key: float(step)}, step, START, step)


def columns(run: Path) -> dict[str, set[int]]:
    """Types by key: more than one would end an upload."""
    found: dict[str, set[int]] = {}
    for column in of_kind(run, "column"):
        found.setdefault(column.column_key, set()).add(column.column_type)
    return found


def test_a_key_of_two_kinds_has_two_columns_also_after_a_restart(run: SomeRun) -> None:
    def log(tracker: Tracker, first: int) -> None:
        tracker.log_rows([row("a", first)])
        tracker.log_media(medium(run, "image", "a", first + 1))
        tracker.log_media(medium(run, "image", "b", first + 2))
        tracker.log_rows([row("b", first + 3)])

    tracker = open_tracker(SwanlabTracker, run, fragment_events=4)
    log(tracker, 0)
    sealed, state = tracker.flush()
    assert sealed
    tracker.log_rows([row("lost", 9)])
    tracker = open_tracker(SwanlabTracker, run, json.loads(json.dumps(state)), fragment_events=4)
    log(tracker, 10)
    sealed_state(tracker)
    assert set(stored(run.path)) == {("a (image)", 1), ("b", 2), ("a (image)", 11), ("b", 12)}
    assert [(key, step) for key, step, _, _ in points(run.path)] == [
        ("a", 0),
        ("b (scalar)", 3),
        ("a", 10),
        ("b (scalar)", 13),
    ]
    assert all(len(types) == 1 for types in columns(run.path).values())
    assert tracker.read_back("b") == [(3, 3.0, START), (13, 13.0, START)]


def test_a_name_behind_a_long_key_still_fits() -> None:
    from trackhub_swanlab.columns import Columns

    held = Columns({"k" * 512: "scalar"})
    assert held.of("k" * 512, "image") == "k" * 504 + " (image)"
    assert held.of("k" * 512, "image") == "k" * 504 + " (image)"
    assert held.of("k" * 512, "scalar") == "k" * 512


def test_after_a_crash_and_after_a_rewind_each_medium_is_there_once(run: SomeRun) -> None:
    from trackhub.plugin import Rebuild

    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_media(medium(run, "image", "a", 1))
    tracker.log_media(medium(run, "image", "a", 2))
    tracker.flush()
    again = open_tracker(SwanlabTracker, run)
    for step in (1, 2, 3):
        again.log_media(medium(run, "image", "a", step))
    state = sealed_state(again)
    assert set(stored(run.path)) == {("a", 1), ("a", 2), ("a", 3)}
    last = open_tracker(SwanlabTracker, run, state)
    with pytest.raises(Rebuild):
        last.on_rewind(1)
    assert (run.path / "media" / "image.png").read_bytes() == CONTENTS["image"][1]
    fresh = open_tracker(SwanlabTracker, run)
    fresh.log_media(medium(run, "image", "a", 1))
    sealed_state(fresh)
    assert set(stored(run.path)) == {("a", 1)}


def test_a_run_with_media_arrives_whole(runs: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.gca().plot([1, 3, 2])
    with trackhub.start(trackers="swanlab", name="media") as run:
        run.log_metrics({"loss": 1.0}, step=3)
        run.log_media(
            {
                "cat": trackhub.Image(COLOUR, caption="a cat"),
                "plot": figure,
                "tone": trackhub.Audio([0.0, 0.5], sample_rate=8000),
                "note": "some text",
                "table": trackhub.Table([{"a": 1}]),
                "weights": trackhub.Histogram([1.0, 2.0]),
                "page": trackhub.Html("<p>"),
                "film": trackhub.Video(np.zeros((2, 4, 4, 1), dtype=np.uint8)),
            }
        )
    (receipt,) = run.receipts()
    assert (receipt.rejections, receipt.left) == ([], {})
    logged = {(event.key, event.step): event for event in read(run.path) if isinstance(event, Media)}
    found = stored(run.path)
    assert set(found) == set(logged)
    for name, (folder, content, caption, moment) in found.items():
        assert (caption, moment) == (logged[name].caption, logged[name].t)
        assert folder == "echarts" or content == (run.path / logged[name].path).read_bytes()


class MediaStandIn(StandIn):
    """Also takes files, at the addresses that it hands out."""

    def __init__(self) -> None:
        ThreadingHTTPServer.__init__(self, ("127.0.0.1", 0), MediaHandler)
        self.sent: list[tuple[str, Any]] = []
        self.host = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}

    def media(self) -> list[tuple[str, int, list[str], list[dict[str, str]]]]:
        batches = [body for path, body in self.sent if path.endswith("/metrics") and body["type"] == "media"]
        return [(m["key"], m["index"], m["data"], m["more"]) for body in batches for m in body["metrics"]]


class MediaHandler(StandInHandler):
    server: MediaStandIn

    def do_POST(self) -> None:  # noqa: N802 - the name that http.server asks for
        if "presigned" not in self.path:
            super().do_POST()
            return
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = json.dumps({"urls": [f"{self.server.host}/files/{path}" for path in asked["paths"]]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_PUT(self) -> None:  # noqa: N802 - the name that http.server asks for
        if not self.path.startswith("/files/"):
            super().do_POST()
            return
        content = self.rfile.read(int(self.headers["content-length"]))
        self.server.files[self.path.removeprefix("/files/")] = content
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


@pytest.fixture
def stand_in() -> Iterator[MediaStandIn]:
    with MediaStandIn() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def received(server: MediaStandIn) -> dict[tuple[str, int], tuple[bytes, list[dict[str, str]]]]:
    """(content, captions) by (key, step)."""
    return {(key, step): (server.files[paths[0]], more) for key, step, paths, more in server.media()}


def test_swanlab_sync_uploads_media_and_what_comes_behind_a_key_of_two_kinds(
    run: SomeRun, stand_in: MediaStandIn, tmp_path: Path
) -> None:
    tracker = open_tracker(SwanlabTracker, run)
    tracker.log_rows([row("a", 1)])
    for kind in ("image", "text", "table"):
        tracker.log_media(medium(run, kind, "a", 2, f"the {kind}"))
    tracker.log_rows([row("a", 3)])
    sealed_state(tracker)
    (folder,) = folders(run.path)
    command = ["swanlab", "sync", "-k", "k" * 21, "-h", stand_in.host, "-i", run.id, str(folder)]
    code = f"import sys; sys.argv = {command!r}; from swanlab.cli import cli; cli()"
    environment = os.environ | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-P", "-c", code], env=environment, check=True, capture_output=True)
    assert received(stand_in) == {
        (f"a ({column})", 2): (stored(run.path)[f"a ({column})", 2][1], [{"caption": f"the {kind}"}])
        for kind, column in (("image", "image"), ("text", "text"), ("table", "echarts"))
    }
    assert [point[:3] for point in stand_in.points()] == [("a", 1, 1.0), ("a", 3, 3.0)]


IN_THE_CLOUD = """
import time
from trackhub.events import Media
socket.socket.connect, socket.getaddrinfo = original
tracker = open_tracker(SwanlabTracker, run, mode="cloud", host=os.environ["STAND_IN"])
tracker.log_rows(rows(0, 2))
for kind, path in json.loads(os.environ["MEDIA"]).items():
    tracker.log_media(Media(n=1, t=1767225601.5, key="train/loss", step=5, media_kind=kind, path=path, caption=kind))
for _ in range(100):
    sealed, state = tracker.flush()
    if sealed:
        break
    time.sleep(0.1)
print(json.dumps(state["columns"]))
tracker.on_run_end("finished", {})
assert tracker.flush()[0]
"""


def test_cloud_sends_media_without_keeping_files_of_its_own(run: SomeRun, stand_in: MediaStandIn) -> None:
    paths = {kind: medium(run, kind, "", 0).path for kind in ("image", "text", "histogram")}
    environment = os.environ | {"SWANLAB_API_KEY": "k" * 21, "STAND_IN": stand_in.host, "MEDIA": json.dumps(paths)}
    done = in_child(IN_THE_CLOUD, run.path, env=environment, stdin=subprocess.DEVNULL)
    names = {"image": "train/loss (image)", "text": "train/loss (text)", "histogram": "train/loss (echarts)"}
    known = json.loads(done.stdout.splitlines()[-1])
    assert set(known) == {"train/loss", *names.values()}
    found = received(stand_in)
    assert set(found) == {(name, 5) for name in names.values()}
    for kind in ("image", "text"):
        assert found[names[kind], 5] == (CONTENTS[kind][1], [{"caption": kind}])
    assert json.loads(found[names["histogram"], 5][0])["series"][0]["data"] == [3, 4]
    assert not (run.path / "swanlab_logs").exists()
