"""Media: every accepted form comes back from its file, and what is no medium ends nothing."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import wave
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from PIL import Image as Pillow

import trackhub
from trackhub import InvalidValue, Run
from trackhub.events import MEDIA_KINDS, Event, Media, Rejected
from trackhub.journal import JournalWriter, read
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder

SECRET = "ghp_" + "a1B2" * 9
GRAY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
COLOUR = np.arange(36, dtype=np.uint8).reshape(3, 4, 3) * 7
TALL = np.concatenate([COLOUR, COLOUR])
"""Six rows: whoever looks takes it for no picture with its channels first."""
ALPHA = np.arange(48, dtype=np.uint8).reshape(3, 4, 4) * 5


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKHUB_STRICT")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run without any supervisor, where only the journal and the files matter."""
    folder = RunFolder(tmp_path / "runs" / "bare")
    folder.journal.mkdir(parents=True)
    return Run(folder, JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", "bare")))


def of_kind(run: Run, kind: type[Event]) -> list[Any]:
    return [event for event in read(run.path) if isinstance(event, kind)]


def stored(run: Run, value: Any) -> tuple[Media, bytes]:
    """What became of a value: its event, and its file's content, which the event's hash confirms."""
    run.log_media({"key": value}, step=7)
    event: Media = of_kind(run, Media)[-1]
    content = (run.path / event.path).read_bytes()
    assert (event.key, event.step) == ("key", 7)
    assert event.sha256 == sha256(content).hexdigest()
    assert event.path == f"media/{event.sha256[:32]}{Path(event.path).suffix}"
    assert event.media_kind in MEDIA_KINDS
    return event, content


def pixels(content: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Pillow.open(io.BytesIO(content)))


def encoded(array: np.ndarray[Any, Any], form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(array).save(buffer, format=form, **options)
    return buffer.getvalue()


IMAGES: dict[str, tuple[Any, Any]] = {
    "gray": (GRAY, GRAY),
    "one channel": (GRAY[:, :, None], GRAY),
    "colour": (COLOUR, COLOUR),
    "alpha": (ALPHA, ALPHA),
    "strided": (COLOUR[:, ::-1], COLOUR[:, ::-1]),
    "int64": (COLOUR.astype(np.int64), COLOUR),
    "float64": (COLOUR / 255, COLOUR),
    "float16": (GRAY.astype(np.float16) / 255, GRAY),
    "a little beyond": (np.array([[-0.005, 1.005]]), np.array([[0, 255]])),
    "NaN and infinities": (np.array([[np.nan, np.inf, -np.inf, 1.0]]), np.array([[0, 255, 0, 255]])),
    "bool": (GRAY > 100, (GRAY > 100) * np.uint8(255)),
    "torch CHW": (torch.from_numpy(COLOUR).permute(2, 0, 1), COLOUR),
    "torch 1HW": (torch.from_numpy(GRAY)[None], GRAY),
    "torch HW": (torch.from_numpy(GRAY), GRAY),
    "torch HWC": (torch.from_numpy(TALL), TALL),
    "torch bfloat16": (torch.tensor([[0.0, 0.5, 1.0]], dtype=torch.bfloat16), np.array([[0, 128, 255]])),
    "torch with gradient": (torch.tensor([[0.0, 1.0]], requires_grad=True), np.array([[0, 255]])),
    "torch parameter": (torch.nn.Parameter(torch.ones(2, 2)), np.full((2, 2), 255)),
    "PIL": (Pillow.fromarray(COLOUR), COLOUR),
    "PIL CMYK": (
        Pillow.fromarray(COLOUR).convert("CMYK"),
        np.asarray(Pillow.fromarray(COLOUR).convert("CMYK").convert("RGB")),
    ),
    "PIL 16 bits": (Pillow.fromarray(GRAY.astype(np.uint16) * 257), GRAY.astype(np.uint16) * 257),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_comes_back_pixel_by_pixel(run: Run, name: str) -> None:
    given, expected = IMAGES[name]
    event, content = stored(run, trackhub.Image(given, caption="a cat"))
    assert np.array_equal(pixels(content), expected)
    assert (event.media_kind, event.caption, Path(event.path).suffix) == ("image", "a cat", ".png")
    assert (event.details["width"], event.details["height"]) == (expected.shape[1], expected.shape[0])
    assert event.details.get("nonfinite", 0) == (3 if name.startswith("NaN") else 0)


ENCODED: dict[str, tuple[str, bytes]] = {
    "png": ("png", encoded(COLOUR, "PNG")),
    "jpg": ("jpg", encoded(COLOUR, "JPEG")),
    "progressive jpg": ("jpg", encoded(COLOUR, "JPEG", progressive=True, exif=b"Exif\0\0" + bytes(2000))),
    "gif": ("gif", encoded(GRAY, "GIF")),
    "webp": ("webp", encoded(COLOUR, "WEBP")),
    "lossless webp": ("webp", encoded(COLOUR, "WEBP", lossless=True)),
    "webp with alpha": ("webp", encoded(ALPHA, "WEBP", exif=b"Exif\0\0" + bytes(8))),
}


@pytest.mark.parametrize("name", ENCODED)
@pytest.mark.parametrize("how", ["bytes", "path", "text path"])
def test_an_encoded_image_is_kept_as_it_is(run: Run, tmp_path: Path, name: str, how: str) -> None:
    extension, content = ENCODED[name]
    path = tmp_path / "picture.whatever"
    path.write_bytes(content)
    given: Any = {"bytes": content, "path": path, "text path": str(path)}[how]
    event, kept = stored(run, trackhub.Image(given))
    assert kept == content
    assert Path(event.path).suffix == f".{extension}"
    assert (event.details["width"], event.details["height"]) == (4, 3)


def test_an_encoded_image_needs_no_pillow_and_an_array_says_how_to_get_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    for _, content in ENCODED.values():
        stored(run, trackhub.Image(content))
    with pytest.raises(InvalidValue, match=r"pip install 'trackhub-ml\[media\]'"):
        run.log_media({"key": trackhub.Image(GRAY)})


def test_a_format_that_not_every_viewer_shows_becomes_png(run: Run) -> None:
    _, content = stored(run, trackhub.Image(encoded(COLOUR, "BMP")))
    assert content.startswith(b"\x89PNG")
    assert np.array_equal(pixels(content), COLOUR)


def sound(content: bytes) -> tuple[int, np.ndarray[Any, Any]]:
    """(sample rate, int16 samples of shape (n, channels))."""
    with wave.open(io.BytesIO(content)) as file:
        assert file.getsampwidth() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return file.getframerate(), samples.reshape(-1, file.getnchannels())


WAVES = np.array([[0, 32767], [-32768, 5], [1000, -1000]], dtype=np.int16)
SOUNDS: dict[str, tuple[Any, Any]] = {
    "int16": (WAVES, WAVES),
    "int16 mono": (WAVES[:, 0], WAVES[:, :1]),
    "int64": (WAVES.astype(np.int64), WAVES),
    "float": (np.array([0.0, 1.0, -1.0, 0.5]), np.array([[0], [32767], [-32767], [16384]])),
    "a little beyond": (np.array([1.009, -1.009]), np.array([[32767], [-32767]])),
    "NaN": (np.array([np.nan, np.inf, -np.inf]), np.array([[0], [32767], [-32767]])),
    "torch bfloat16": (torch.tensor([[0.5, -0.5]], dtype=torch.bfloat16), np.array([[16384, -16384]])),
    "list": ([0.0, 1.0, -0.5], np.array([[0], [32767], [-16384]])),
    "list of ints": ([0, 32767, -32768], np.array([[0], [32767], [-32768]])),
    "list of frames": ([(0.0, 1.0), [-1.0, 0.5]], np.array([[0, 32767], [-32767, 16384]])),
    "list with NaN": ([float("nan"), 1.0], np.array([[0], [32767]])),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_comes_back_sample_by_sample(run: Run, name: str) -> None:
    given, expected = SOUNDS[name]
    event, content = stored(run, trackhub.Audio(given, sample_rate=16000))
    rate, samples = sound(content)
    assert rate == 16000
    assert np.array_equal(samples, expected)
    assert (event.media_kind, Path(event.path).suffix) == ("audio", ".wav")
    assert event.details["sample_rate"] == 16000
    assert event.details["channels"] == expected.shape[1]
    assert event.details["seconds"] == round(len(expected) / 16000, 6)
    assert event.details.get("nonfinite", 0) == {"NaN": 3, "list with NaN": 1}.get(name, 0)


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        ("mp3", b"ID3\x04rest"),
        ("mp3", b"\xff\xfb\x90\x00rest"),
        ("aac", b"\xff\xf1\x50\x80rest"),
        ("flac", b"fLaCrest"),
        ("ogg", b"OggSrest"),
        ("m4a", b"\0\0\0\x20ftypM4A rest"),
    ],
)
@pytest.mark.parametrize("as_path", [True, False])
def test_encoded_sound_is_kept_as_it_is(
    run: Run, tmp_path: Path, extension: str, content: bytes, as_path: bool
) -> None:
    path = tmp_path / "sound"
    path.write_bytes(content)
    event, kept = stored(run, trackhub.Audio(path if as_path else content, sample_rate=44100))
    assert kept == content
    assert Path(event.path).suffix == f".{extension}"
    assert event.details == {"sample_rate": 44100}


def test_a_wav_file_tells_its_own_rate(run: Run, tmp_path: Path) -> None:
    _, content = stored(run, trackhub.Audio(WAVES, sample_rate=8000))
    path = tmp_path / "sound.wav"
    path.write_bytes(content)
    event, kept = stored(run, trackhub.Audio(path))
    assert kept == content
    assert event.details == {"sample_rate": 8000, "channels": 2, "seconds": 0.000375}


def test_text_is_stored_as_utf_8(run: Run) -> None:
    event, content = stored(run, trackhub.Text("# Ergebnis\r\n结果 🐈 \0"))
    assert content.decode() == "# Ergebnis\r\n结果 🐈 \0"
    assert (event.media_kind, Path(event.path).suffix) == ("text", ".txt")
    assert stored(run, "half a pair: \ud83d")[1] == rb"half a pair: \ud83d"


TABLE = {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]}
NAMED = pd.DataFrame({"b": ["x", None]}, index=pd.Index([1, 2], name="a"))
TABLES: dict[str, tuple[Any, Any]] = {
    "pandas": (pd.DataFrame({"a": [1, 2], "b": ["x", pd.NA]}), TABLE),
    "pandas with a named index": (NAMED, TABLE),
    "pandas with two levels": (
        pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")])),
        {"columns": ["a/b", "a/c"], "data": [[1, 2]]},
    ),
    "pandas with dates": (
        pd.DataFrame({"t": [pd.Timestamp("2026-01-02"), pd.NaT]}),
        {"columns": ["t"], "data": [["2026-01-02 00:00:00"], [None]]},
    ),
    "polars": (pl.DataFrame({"a": [1, 2], "b": ["x", None]}), TABLE),
    "dicts": ([{"a": 1, "b": "x"}, {"a": 2}], TABLE),
    "columns": ({"a": np.array([1, 2]), "b": ["x", None]}, TABLE),
    "rows": ([[1, "x"], (2, None)], {"columns": ["0", "1"], "data": TABLE["data"]}),
    "array": (np.array([[1.5, np.nan]]), {"columns": ["0", "1"], "data": [[1.5, "NaN"]]}),
    "tensor": (torch.tensor([[1, 2]]), {"columns": ["0", "1"], "data": [[1, 2]]}),
    "nothing": ([], {"columns": [], "data": []}),
    "odd cells": (
        [[float("inf"), -float("inf"), True, 2**70, np.float32(0.5), np.int8(3), torch.tensor(4), [1, "x"], 1j]],
        {
            "columns": list("012345678"),
            "data": [["Infinity", "-Infinity", True, 2**70, 0.5, 3, 4, "[1, 'x']", "1j"]],
        },
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_back_cell_by_cell(run: Run, name: str) -> None:
    given, expected = TABLES[name]
    event, content = stored(run, trackhub.Table(given))
    table = json.loads(content)
    assert table == expected
    assert [list(map(type, row)) for row in table["data"]] == [list(map(type, row)) for row in expected["data"]]
    assert (event.media_kind, Path(event.path).suffix) == ("table", ".json")
    assert event.details == {"rows": len(expected["data"]), "columns": len(expected["columns"])}


@pytest.mark.parametrize("name", ["pandas", "polars", "dicts", "columns"])
def test_a_table_keeps_the_columns_that_are_chosen(run: Run, name: str) -> None:
    _, content = stored(run, trackhub.Table(TABLES[name][0], columns=["b", "a"]))
    assert json.loads(content) == {"columns": ["b", "a"], "data": [["x", 1], [None, 2]]}


def test_rows_get_the_names_of_columns(run: Run) -> None:
    _, content = stored(run, trackhub.Table([[1, "x"], [2, None]], columns=("a", "b")))
    assert json.loads(content) == TABLE


def test_a_table_of_lone_surrogates_is_stored(run: Run) -> None:
    _, content = stored(run, trackhub.Table([["\ud800"]], columns=["\ud801"]))
    assert json.loads(content) == {"columns": [r"\ud801"], "data": [[r"\ud800"]]}


VALUES = [0.0, 1.0, 1.0, 3.0, 4.0]
HISTOGRAMS: dict[str, Any] = {
    "list": VALUES,
    "numpy": np.array(VALUES, dtype=np.float32),
    "two dimensions": np.array([VALUES, VALUES])[:1],
    "int": np.array([0, 1, 1, 3, 4], dtype=np.int8),
    "torch bfloat16": torch.tensor(VALUES, dtype=torch.bfloat16),
    "NaN": np.array([*VALUES, np.nan, np.inf, -np.inf]),
    "list with NaN": (*VALUES, float("nan"), float("inf"), -float("inf")),
}


@pytest.mark.parametrize("name", HISTOGRAMS)
def test_a_histogram_counts_what_is_finite(run: Run, name: str) -> None:
    event, content = stored(run, trackhub.Histogram(HISTOGRAMS[name], bins=4))
    assert json.loads(content) == {"edges": [0.0, 1.0, 2.0, 3.0, 4.0], "counts": [1, 2, 0, 2]}
    assert (event.media_kind, Path(event.path).suffix) == ("histogram", ".json")
    odd = {"nan": 1, "infinite": 2} if "NaN" in name else {}
    assert event.details == {"bins": 4, "values": 5, **odd}


@pytest.mark.parametrize("values", [[3.0], [1e300], [1.0, 1.0 + 2**-52], [0.0, 5e-324], [1e-300, 2e-300], [-7, 9**15]])
def test_a_histogram_of_any_range_counts_everything_with_and_without_numpy(run: Run, values: list[float]) -> None:
    for given in (values, np.array(values)):
        histogram = json.loads(stored(run, trackhub.Histogram(given))[1])
        edges = histogram["edges"]
        assert sum(histogram["counts"]) == len(values)
        assert len(edges) == 65
        assert edges == sorted(set(edges))
        assert edges[0] <= min(values) <= max(values) <= edges[-1]


def test_a_list_and_an_array_of_the_same_values_fall_into_the_same_bins(run: Run) -> None:
    values = np.random.default_rng(0).normal(size=2000)
    one, other = (json.loads(stored(run, trackhub.Histogram(given))[1]) for given in (values, values.tolist()))
    assert one["edges"] == pytest.approx(other["edges"], abs=1e-12)
    assert one["counts"] == other["counts"]


def test_counts_that_are_there_already_are_kept(run: Run) -> None:
    given = np.histogram(np.array(VALUES), bins=4)
    assert json.loads(stored(run, trackhub.Histogram(np_histogram=given))[1]) == {
        "edges": [0.0, 1.0, 2.0, 3.0, 4.0],
        "counts": [1, 2, 0, 2],
    }


def test_a_figure_becomes_png_at_150_dpi_and_stays_open(run: Run) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(2, 1))
    figure.gca().plot([1, 3, 2])
    for given in (figure, trackhub.Figure(figure)):
        event, content = stored(run, given)
        assert pixels(content).shape == (150, 300, 4)
        assert len(np.unique(pixels(content))) > 10
        assert (event.media_kind, event.details) == ("figure", {"width": 300, "height": 150})
    assert pyplot.fignum_exists(figure.number)
    pyplot.close(figure)


def test_whatever_writes_html_is_kept_as_a_page(run: Run) -> None:
    class Chart:
        def to_html(self) -> str:
            return "<html><b>chart</b></html>"

    event, content = stored(run, trackhub.Figure(Chart()))
    assert content == b"<html><b>chart</b></html>"
    assert event.media_kind == "html"


def test_a_page_is_kept_from_a_string_and_from_a_file(run: Run, tmp_path: Path) -> None:
    assert stored(run, trackhub.Html("<p>é</p>"))[1] == "<p>é</p>".encode()
    path = tmp_path / "report.html"
    path.write_bytes("<p>é</p>".encode("latin-1"))
    for given in (path, str(path)):
        event, content = stored(run, trackhub.Html(given))
        assert content == "<p>é</p>".encode("latin-1")
        assert (event.media_kind, Path(event.path).suffix) == ("html", ".html")


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        ("mp4", b"\0\0\0\x20ftypisom" + bytes(50)),
        ("webm", b"\x1a\x45\xdf\xa3" + bytes(20) + b"webm" + bytes(50)),
        ("gif", ENCODED["gif"][1]),
    ],
)
@pytest.mark.parametrize("as_path", [True, False])
def test_an_encoded_video_is_kept_as_it_is(
    run: Run, tmp_path: Path, extension: str, content: bytes, as_path: bool
) -> None:
    path = tmp_path / "film"
    path.write_bytes(content)
    event, kept = stored(run, trackhub.Video(path if as_path else content))
    assert kept == content
    assert (event.media_kind, Path(event.path).suffix) == ("video", f".{extension}")


FRAMES = (np.arange(3, dtype=np.uint8) * 100)[:, None, None, None] + np.zeros((1, 4, 6, 1), dtype=np.uint8)


@pytest.mark.parametrize(
    "frames",
    [
        FRAMES,
        np.repeat(FRAMES, 3, axis=3),
        FRAMES / 255,
        torch.from_numpy(np.repeat(FRAMES, 3, axis=3)).permute(0, 3, 1, 2),
    ],
    ids=["gray", "colour", "float", "torch"],
)
def test_frames_become_a_gif(run: Run, frames: Any) -> None:
    event, content = stored(run, trackhub.Video(frames, fps=20))
    film = Pillow.open(io.BytesIO(content))
    assert film.n_frames == 3  # type: ignore[attr-defined]
    for number in range(3):
        film.seek(number)
        assert film.info["duration"] == 50
        assert np.array_equal(np.asarray(film.convert("L")), FRAMES[number, :, :, 0])
    assert event.details == {"width": 6, "height": 4, "frames": 3, "fps": 20.0}
    assert (event.media_kind, Path(event.path).suffix) == ("video", ".gif")


def test_plain_values_that_are_unmistakable_need_no_wrapper(run: Run) -> None:
    frame = TABLES["pandas"][0]
    values = [("image", IMAGES["PIL"][0]), ("text", "a text"), ("table", frame), ("table", pl.DataFrame({"a": [1]}))]
    assert [stored(run, value)[0].media_kind for _, value in values] == [kind for kind, _ in values]


def test_a_list_is_numbered_and_nested_dicts_are_joined(run: Run) -> None:
    run.log_media({"val": {"samples": ["a", trackhub.Text("b", caption="second")]}, "one": ("c",)}, step=3)
    assert [(event.key, event.step, event.caption) for event in of_kind(run, Media)] == [
        ("val/samples/0", 3, ""),
        ("val/samples/1", 3, "second"),
        ("one/0", 3, ""),
    ]


def test_without_a_step_it_is_the_one_that_metrics_were_last_logged_at(run: Run) -> None:
    run.log_media({"before": "a"})
    run.log_metrics({"loss": 1.0}, step=10)
    run.log_media({"after": "a"})
    run.log_media({"given": "a"}, step=np.int64(400))
    run.log_media({"after": "b"})
    run.log_metrics({"loss": 1.0})
    assert [(event.key, event.step) for event in of_kind(run, Media)] == [
        ("before", 0),
        ("after", 10),
        ("given", 400),
        ("after", 10),
    ]
    assert [event.step for event in read(run.path) if hasattr(event, "metrics")] == [10, 11]


def test_the_same_content_is_stored_once_and_never_written_again(run: Run) -> None:
    first, _ = stored(run, trackhub.Image(COLOUR))
    before = (run.path / first.path).stat()
    second, _ = stored(run, trackhub.Image(COLOUR.copy()))
    assert first.path == second.path
    after = (run.path / first.path).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert len(list((run.path / "media").iterdir())) == 1


def test_what_is_stored_stays_when_the_given_file_is_written_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "latest.png"
    path.write_bytes(ENCODED["png"][1])
    first, _ = stored(run, trackhub.Image(path))
    path.write_bytes(encoded(COLOUR[::-1], "PNG"))
    second, _ = stored(run, trackhub.Image(path))
    assert (run.path / first.path).read_bytes() == ENCODED["png"][1]
    assert np.array_equal(pixels((run.path / second.path).read_bytes()), COLOUR[::-1])


def test_a_file_that_a_power_cut_tore_is_kept_aside_and_stored_anew(run: Run) -> None:
    event, _ = stored(run, "a text")
    (run.path / event.path).write_bytes(b"a t")
    assert stored(run, "a text")[1] == b"a text"
    assert sorted(path.read_bytes() for path in (run.path / "media").iterdir()) == [b"a t", b"a text"]


HOSTILE = ["../../escape", "/etc/passwd", "a\0b", "..", "", "k" * 5000, "con", "a/b\\c", "\n", "\ud800"]


@pytest.mark.parametrize("key", HOSTILE, ids=lambda key: repr(key)[:20])
def test_a_key_never_becomes_a_path(run: Run, key: str) -> None:
    from trackhub.journal.format import unescape_key

    run.log_media({key: "a text"})
    (event,) = of_kind(run, Media)
    assert unescape_key(event.key) == key
    digest = sha256(b"a text").hexdigest()
    assert [path.name for path in (run.path / "media").iterdir()] == [f"{digest[:32]}.txt"]
    assert sorted(path.name for path in run.path.iterdir()) == ["journal", "media"]


@pytest.mark.parametrize(
    "value",
    [
        trackhub.Text(f"token: {SECRET}", caption=SECRET),
        trackhub.Html(f"<p>{SECRET}</p><script>/* short */ '{SECRET}'</script>"),
        trackhub.Table([[SECRET, [SECRET], {"api_key": "q1w2"}]], columns=["a", SECRET, "c"]),
        trackhub.Table(pd.DataFrame({"password": ["q1w2"]})),
    ],
    ids=repr,
)
def test_no_credential_reaches_the_disk(run: Run, value: Any) -> None:
    _, content = stored(run, value)
    written = content + b"".join(path.read_bytes() for path in (run.path / "journal").iterdir())
    assert SECRET.encode() not in written
    assert b"q1w2" not in written
    assert b"[redacted]" in written


def test_a_library_in_a_page_is_not_touched(run: Run) -> None:
    library = "<script>/** a library */ var privateKey=makeOne(); " + "x" * 60_000 + "</script>"
    _, content = stored(run, trackhub.Html(f"<p>{SECRET}</p>{library}<p>{SECRET}</p>"))
    assert content.decode() == f"<p>[redacted]</p>{library}<p>[redacted]</p>"


class Breaks:
    """An object that fails wherever it is asked."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array today")

    def __repr__(self) -> str:
        raise RuntimeError("no repr today")


BAD: dict[str, tuple[Any, str]] = {
    "a bare array": (np.zeros((4, 4)), "wrap it in trackhub.Image"),
    "a number": (1.0, "wrap it"),
    "bytes": (ENCODED["png"][1], "wrap it"),
    "None": (None, "wrap it"),
    "an image of None": (trackhub.Image(None), "not NoneType"),
    "an image of text": (trackhub.Image(b"plain text"), "no picture"),
    "a missing image": (trackhub.Image("nowhere/cat.png"), "there is no file nowhere/cat.png"),
    "a folder": (trackhub.Image(Path()), "there is no file"),
    "channels first": (trackhub.Image(np.zeros((3, 8, 8))), "transpose(1, 2, 0)"),
    "a batch": (trackhub.Image(np.zeros((2, 8, 8, 3))), "for one in batch"),
    "a vector": (trackhub.Image(np.zeros(8)), "(H, W)"),
    "two channels": (trackhub.Image(np.zeros((8, 8, 2))), "(H, W"),
    "no pixels": (trackhub.Image(np.zeros((0, 8))), "empty"),
    "normalised": (trackhub.Image(np.array([[-1.0, 1.0]])), "(image + 1) / 2"),
    "bytes as floats": (trackhub.Image(np.array([[0.0, 255.0]])), "image / 255"),
    "standardised": (trackhub.Image(np.array([[-2.1, 2.6]])), "image.clip(0, 1)"),
    "negative": (trackhub.Image(np.array([[-1, 5]])), "from 0 to 255"),
    "complex": (trackhub.Image(np.zeros((2, 2), dtype=complex)), "complex128"),
    "objects": (trackhub.Image(np.array([[object()]])), "no numbers"),
    "a tensor without data": (trackhub.Image(torch.zeros(4, 4, device="meta")), "cannot become a file"),
    "an object that breaks": (trackhub.Image(Breaks()), "no array today"),
    "sound without a rate": (trackhub.Audio([0.0]), "sample_rate=16000"),
    "sound, channels first": (trackhub.Audio(np.zeros((2, 800)), sample_rate=8000), "samples.T"),
    "loud sound": (trackhub.Audio([2.0, 0.0], sample_rate=8000), "peak is 2"),
    "no sound": (trackhub.Audio([], sample_rate=8000), "no samples"),
    "ragged sound": (trackhub.Audio([[0.0], [0.0, 0.1]], sample_rate=8000), "same number of channels"),
    "sound of bytes": (trackhub.Audio(np.zeros(4, dtype=np.uint8), sample_rate=8000), "int16"),
    "sound of 32 bits": (trackhub.Audio(np.array([2**30]), sample_rate=8000), "int16"),
    "text as sound": (trackhub.Audio(b"plain text"), "no sound"),
    "a number as text": (trackhub.Text(5), "str(...)"),
    "a number as html": (trackhub.Html(5), "a path"),
    "a missing page": (trackhub.Html("nowhere.html"), "there is no file nowhere.html"),
    "too large a table": (trackhub.Table(np.zeros((1001, 1000))), "run.log_artifact"),
    "too long a table": (trackhub.Table([{"a": 1}] * 1_000_001), "run.log_artifact"),
    "ragged rows": (trackhub.Table([[1, 2], [3]]), "row 1 of the table has 1 values for 2 columns"),
    "ragged columns": (trackhub.Table({"a": [1], "b": [1, 2]}), "equally long"),
    "a column of text": (trackhub.Table({"a": "text"}), "a list of values"),
    "numbers as a table": (trackhub.Table([1, 2]), "columns=['a', 'b']"),
    "an unknown column": (trackhub.Table({"a": [1]}, columns=["b"]), "'b'"),
    "a number as a table": (trackhub.Table(5), "a list of dicts"),
    "nothing finite": (trackhub.Histogram([float("nan"), float("inf")]), "no finite value among 2, of which 1 are NaN"),
    "no values": (trackhub.Histogram([]), "no finite value"),
    "no bins": (trackhub.Histogram([1.0], bins=0), "1 to 10,000 bins"),
    "text in a histogram": (trackhub.Histogram(["a"]), "cannot become a file"),
    "too wide a range": (trackhub.Histogram([-1.7e308, 1.7e308]), "span more"),
    "edges that go down": (trackhub.Histogram(np_histogram=([1, 2], [0, 2, 1])), "go up"),
    "edges that are missing": (trackhub.Histogram(np_histogram=([1, 2], [0, 2])), "n + 1 edges"),
    "a number as a figure": (trackhub.Figure(5), "matplotlib or plotly"),
    "text as a video": (trackhub.Video(b"plain text"), "no video"),
    "one frame": (trackhub.Video(np.zeros((8, 8, 3))), "(T, H, W, 1|3)"),
    "too fast": (trackhub.Video(FRAMES, fps=120), "50 frames per second"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("lenient")
def test_a_bad_value_is_told_once_and_journaled_and_the_rest_is_kept(
    run: Run, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    value, reason = BAD[name]
    for step in (1, 2):
        run.log_media({"before": "a", "bad": value, "after": "b"}, step=step)
    assert [event.key for event in of_kind(run, Media)] == ["before", "after"] * 2
    rejected = of_kind(run, Rejected)
    assert [(event.key, event.step) for event in rejected] == [("bad", 1), ("bad", 2)]
    assert reason in rejected[0].reason
    said = capsys.readouterr().err
    assert said.count("'bad' is kept out") == 1
    assert reason in said
    assert len(list((run.path / "media").iterdir())) == 2


@pytest.mark.parametrize("name", BAD)
def test_strict_raises_for_a_bad_value(run: Run, name: str) -> None:
    value, reason = BAD[name]
    with pytest.raises(InvalidValue) as caught:
        run.log_media({"bad": value})
    assert reason in str(caught.value)


@pytest.mark.parametrize("bad", [None, "text", 5, [1]], ids=repr)
@pytest.mark.usefixtures("lenient")
def test_what_is_no_dict_is_journaled_as_rejected(run: Run, bad: Any) -> None:
    run.log_media(bad)
    assert [event.reason for event in of_kind(run, Rejected)] == [f"log_media takes a dict, not {type(bad).__name__}"]


@pytest.mark.usefixtures("lenient")
def test_keys_that_are_no_strings_and_lists_without_end_end_nothing(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    endless: list[Any] = []
    endless.append(endless)
    run.log_media({5: "a", "endless": endless, "empty": [], "good": "b"})
    assert [event.key for event in of_kind(run, Media)] == ["good"]
    assert len(of_kind(run, Rejected)) == 2
    assert "nothing under 'empty'" in capsys.readouterr().err


def cannot_be_written(media: Path) -> None:
    if os.geteuid() == 0:  # for whom no folder is read-only
        media.rmdir()
        media.write_bytes(b"a file where the folder should be")
    else:
        media.chmod(stat.S_IRUSR | stat.S_IXUSR)


@pytest.mark.usefixtures("lenient")
def test_a_folder_that_cannot_be_written_rejects_and_ends_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    (run.path / "media").mkdir()
    cannot_be_written(run.path / "media")
    run.log_media({"key": "a text"})
    run.log_metrics({"loss": 1.0})
    assert of_kind(run, Media) == []
    assert "cannot be read or kept" in of_kind(run, Rejected)[0].reason
    assert "'key' is kept out" in capsys.readouterr().err


def script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A training in a process of its own."""
    environment = {**os.environ, "TRACKHUB_STRICT": "0"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


OPEN = """
import os, resource, signal, sys
import trackhub.endings
from pathlib import Path
import trackhub
from trackhub import Run
from trackhub.journal import JournalWriter
from trackhub.journal.writing import new_header
from trackhub.layout import RunFolder
folder = RunFolder(Path(sys.argv[1]))
folder.journal.mkdir(parents=True)
run = Run(folder, JournalWriter(folder.rank_journal(0), new_header("0123456789abcdef", "bare")))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are a POSIX matter")
def test_a_full_disk_rejects_and_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    code = OPEN + (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "run.log_media({'big': 'x' * 200_000, 'small': 'y'})\n"
    )
    done = script(code, str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    assert "'big' is kept out: its file cannot be read or kept" in done.stderr
    found = list(read(tmp_path / "run"))
    assert [event.key for event in found if isinstance(event, Media | Rejected)] == ["big", "small"]
    assert [path.read_bytes() for path in (tmp_path / "run" / "media").iterdir()] == [b"y"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_logs_to_a_journal_of_its_own_and_into_the_same_folder(tmp_path: Path) -> None:
    code = OPEN + (
        "trackhub.endings.watch(run)\n"
        "run.log_media({'parent': 'same'}, step=1)\n"
        "if not os.fork():\n"
        "    run.log_media({'child': 'same', 'own': 'other'}, step=2)\n"
        "    os._exit(0)\n"
        "os.wait()\n"
    )
    done = script(code, str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    keys = {event.key for event in read(tmp_path / "run") if isinstance(event, Media)}
    assert keys == {"parent", "child", "own"}
    assert len(list((tmp_path / "run" / "journal").glob("rank-0.pid-*.jsonl"))) == 1
    assert len(list((tmp_path / "run" / "media").iterdir())) == 2


def test_threads_that_log_the_same_content_keep_one_file(run: Run) -> None:
    from concurrent.futures import ThreadPoolExecutor

    log: Callable[[int], None] = lambda step: run.log_media({"key": trackhub.Image(COLOUR)}, step=step)  # noqa: E731
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(40)))
    assert sorted(event.step for event in of_kind(run, Media)) == list(range(40))
    assert len(list((run.path / "media").iterdir())) == 1


def test_logging_what_needs_no_library_loads_none(tmp_path: Path) -> None:
    code = OPEN + (
        "run.log_media({'t': 'text', 'h': trackhub.Histogram([1.0]), 'a': trackhub.Audio([0.0], sample_rate=8000),\n"
        "    'b': trackhub.Table([{'a': 1}]), 'p': trackhub.Html('<p>'),\n"
        "    'g': trackhub.Image(bytes.fromhex(sys.argv[2]))})\n"
        "heavy = {'numpy', 'torch', 'PIL', 'matplotlib', 'pandas', 'polars', 'plotly'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    done = script(code, str(tmp_path / "run"), ENCODED["png"][1].hex())
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
    assert len(list((tmp_path / "run" / "media").iterdir())) == 6
