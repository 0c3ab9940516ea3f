"""Media in TensorBoard: what its own server shows, asked over HTTP with both of its loaders."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image
from test_tensorboard import asked, event_files, flushed, loaded, points, server
from trackhub_tensorboard import TensorboardTracker

import trackhub
from trackhub.delivery.facade import Tracker
from trackhub.events import Media
from trackhub.journal import read
from trackhub.plugin import Rejected, Row
from trackhub.testing import SomeRun, open_tracker

START = 1_767_225_601.123456
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
FRAMES = (np.arange(3, dtype=np.uint8) * 100)[:, None, None, None] + np.zeros((1, 4, 6, 1), dtype=np.uint8)
WAVE = np.array([0, 32767, -32768, 5], dtype=np.int16)


def encoded(form: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, format=form)
    return buffer.getvalue()


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


def media_of(path: Path) -> dict[tuple[str, int], tuple[bytes, float]]:
    """(content, time) by (key, step), as the run has it."""
    found = [event for event in read(path) if isinstance(event, Media)]
    return {(event.key, event.step): ((path / event.path).read_bytes(), event.t) for event in found}


def blob(address: str, path: str, query: str) -> tuple[str, bytes]:
    """(content type, content) of a picture or a sound."""
    with urlopen(f"{address}data/plugin/{path}?{query}", timeout=10) as answer:  # noqa: S310 - http
        return answer.headers["Content-Type"], answer.read()


def when_there(address: str, path: str, run: str, tag: str, count: int) -> list[Any]:
    """What a dashboard gets of a tag, once that is `count` entries."""
    deadline = time.monotonic() + 20
    kind = path.partition("/")[0]
    while time.monotonic() < deadline:
        if tag in asked(address, f"{kind}/tags").get(run, {}):
            found: list[Any] = asked(address, path, run=run, tag=tag)
            if len(found) == count:
                return found
        time.sleep(0.1)
    raise AssertionError(f"{tag} of {run} never had {count} entries")


def log_everything(run: trackhub.Run) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    figure.gca().plot([1, 3, 2])
    run.log_metrics({"loss": 1.0}, step=5)
    run.log_media({"cat": trackhub.Image(COLOUR), "深度/图": trackhub.Image(encoded("WEBP"))}, step=5)
    run.log_media({"cat": trackhub.Image(encoded("JPEG"), caption="again")}, step=10)
    run.log_media({"plot": figure, "film": trackhub.Video(FRAMES)}, step=10)
    run.log_media({"tone": trackhub.Audio(WAVE, sample_rate=8000)}, step=7)
    run.log_media({"weights": trackhub.Histogram([0.0, 1.0, 1.0, 4.0], bins=4)}, step=8)
    run.log_media({"uneven": trackhub.Histogram(np_histogram=([1, 0, 5], [-1e300, 0.1, 0.2, 1e300]))}, step=2**40)
    run.log_media({"note": ["**bold** 结果", "second"]}, step=9)


@pytest.mark.parametrize("fast", ["true", "false"])
def test_a_real_tensorboard_shows_every_kind(runs: Path, fast: str) -> None:
    with trackhub.start(trackers="tensorboard", name="media") as run:
        log_everything(run)
    assert [receipt.rejections for receipt in run.receipts()] == [[]]
    logged, name = media_of(run.path), f"{run.name}/tensorboard_logs"
    with server(runs, f"--load_fast={fast}") as address:
        for key, count, kind in (("cat", 2, ""), ("深度/图", 1, "png"), ("plot", 1, "png"), ("film", 1, "gif")):
            for entry in when_there(address, "images/images", name, key, count):
                content, moment = logged[key, entry["step"]]
                shown_as, shown = blob(address, "images/individualImage", entry["query"])
                assert entry["wall_time"] == moment
                assert shown_as == f"image/{kind or {5: 'png', 10: 'jpeg'}[entry['step']]}"
                assert shown == content or key == "深度/图"
                assert np.array_equal(pixels(shown), pixels(content))
        (sound,) = when_there(address, "audio/audio", name, "tone", 1)
        assert (sound["step"], sound["wall_time"]) == (7, logged["tone", 7][1])
        assert blob(address, "audio/individualAudio", sound["query"]) == ("audio/wav", logged["tone", 7][0])
        assert when_there(address, "histograms/histograms", name, "weights", 1) == [
            [logged["weights", 8][1], 8, [[0, 1, 1], [1, 2, 2], [2, 3, 0], [3, 4, 1]]]
        ]
        (uneven,) = when_there(address, "histograms/histograms", name, "uneven", 1)
        assert uneven[1:] == [2**40, [[-1e300, 0.1, 1], [0.1, 0.2, 0], [0.2, 1e300, 5]]]
        texts = asked(address, "text/text", run=name, tag="note/0") + asked(
            address, "text/text", run=name, tag="note/1"
        )
        assert [(text["step"], text["wall_time"], text["text"]) for text in texts] == [
            (9, logged["note/0", 9][1], "<p><strong>bold</strong> 结果</p>"),
            (9, logged["note/1", 9][1], "<p>second</p>"),
        ]
        assert set(asked(address, "images/tags")[name]) == {"cat", "深度/图", "plot", "film"}


@pytest.fixture
def run(tmp_path: Path) -> SomeRun:
    path = tmp_path / "runs" / "some-run_20260101_000000"
    path.mkdir(parents=True)
    return SomeRun(path)


def medium(run: SomeRun, kind: str, key: str, step: int, content: bytes, ending: str) -> Media:
    path = run.path / f"{len(list(run.path.iterdir()))}.{ending}"
    path.write_bytes(content)
    return Media(n=1, t=START + step, key=key, step=step, media_kind=kind, path=str(path))


def image(run: SomeRun, key: str, step: int) -> Media:
    return medium(run, "image", key, step, encoded("PNG"), "png")


def test_pictures_are_those_of_the_usual_writers(run: SomeRun) -> None:
    """torch's SummaryWriter writes the same field: what reads its files reads these."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_media(image(run, "cat", 3))
    flushed(tracker)
    (file,) = event_files(run.path)
    values = [value for event in LegacyEventFileLoader(str(file)).Load() for value in event.summary.value]
    assert [value.WhichOneof("value") for value in values] == ["image"]
    assert values[0].image.encoded_image_string == encoded("PNG")


@pytest.mark.parametrize(
    ("kind", "ending", "takes"), [("audio", "mp3", "WAV"), ("video", "mp4", "GIF"), ("video", "webm", "GIF")]
)
def test_what_no_dashboard_shows_is_set_aside(run: SomeRun, kind: str, ending: str, takes: str) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    with pytest.raises(Rejected, match=rf"TensorBoard shows {kind} as \.{takes.lower()}, not as \.{ending}"):
        tracker.log_media(medium(run, kind, "key", 1, b"content", ending))
    tracker.log_rows([Row({"key": 1.0}, 1, START, 1)])
    assert points(run.path, "key") == [(1, 1.0, START)]


def row(key: str, step: int) -> Row:
    return Row({key: float(step)}, step, START, step)


def tags(tracker: Tracker, run: SomeRun) -> dict[str, list[int]]:
    """The steps by tag, whatever the kind."""
    tracker.flush()
    found = loaded(run.path)
    return (
        {tag: [event.step for event in found.Tensors(tag)] for tag in found.Tags()["tensors"]}
        | {tag: [event.step for event in found.Scalars(tag)] for tag in found.Tags()["scalars"]}
        | {tag: [event.step for event in found.Images(tag)] for tag in found.Tags()["images"]}
    )


def test_a_key_of_two_kinds_has_two_tags_also_after_a_restart(run: SomeRun, caplog: pytest.LogCaptureFixture) -> None:
    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([row("a", 1)])
    tracker.log_media(image(run, "a", 2))
    tracker.log_media(image(run, "b", 3))
    state = flushed(tracker)
    tracker.log_rows([row("lost", 4)])
    tracker = open_tracker(TensorboardTracker, run, state)
    tracker.log_rows([row("a", 5), row("b", 6)])
    tracker.log_media(image(run, "a", 7))
    tracker.log_media(medium(run, "text", "a", 8, b"text", "txt"))
    assert tags(tracker, run) == {
        "a": [1, 5],
        "a (image)": [2, 7],
        "b": [3],
        "b (scalar)": [6],
        "a (text)": [8],
    }
    assert tracker.read_back("a") == [(1, 1.0, START), (5, 5.0, START)]
    assert tracker.read_back("b") == [(6, 6.0, START)]
    assert sum("'a' is scalar already" in record.getMessage() for record in caplog.records) == 2


def test_a_real_tensorboard_shows_both_kinds_of_one_key(runs: Path) -> None:
    with trackhub.start(trackers="tensorboard", name="both") as run:
        run.log_metrics({"key": 1.0}, step=1)
        run.log_media({"key": trackhub.Image(COLOUR)}, step=1)
    name = f"{run.name}/tensorboard_logs"
    with server(runs, "--load_fast=false") as address:
        when_there(address, "images/images", name, "key (image)", 1)
        found = asked(address, "scalars/scalars", run=name, tag="key")
        assert [entry[1:] for entry in found] == [[1, 1.0]]


def test_a_replay_after_a_crash_writes_the_same_bytes(run: SomeRun) -> None:
    def log(tracker: Tracker) -> None:
        tracker.log_media(image(run, "a", 2))
        tracker.log_rows([row("a", 3)])
        tracker.log_media(medium(run, "histogram", "a", 4, b'{"edges":[0,1],"counts":[5]}', "json"))

    tracker = open_tracker(TensorboardTracker, run)
    tracker.log_rows([row("x", 1)])
    state = flushed(tracker)
    log(tracker)
    (file,) = event_files(run.path)
    tracker.flush()
    before = file.read_bytes()
    tracker = open_tracker(TensorboardTracker, run, state)
    log(tracker)
    tracker.flush()
    assert file.read_bytes() == before
