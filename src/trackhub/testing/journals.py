"""A journal made to order: what a training would have written, with times and steps of the test's choice."""

from __future__ import annotations

import io
import os
import struct
import wave
import zlib
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from trackhub.events import Artifact, Batch, Checkpoint, Media, Message, Metrics, Params, Rewind, RunEnded, RunStarted
from trackhub.journal.format import escape_key, jsonable, spell
from trackhub.journal.writing import JournalWriter, new_header
from trackhub.layout import RunFolder

START = 1_767_225_600.25
"""When the first event of such a journal happened, in Unix seconds."""
EVERY = 0.015625
"""Seconds between two events: a time that floats, milliseconds and nanoseconds tell apart."""


class SomeJournal:
    """The journal of one run, written event by event.

    Args:
        path: the run folder, which is made.
        started: fields of the event `RunStarted`, e.g. ``tags=("a",)``.
    """

    def __init__(self, path: Path, **started: Any) -> None:
        self.folder = RunFolder(path)
        self.id = os.urandom(8).hex()
        self.time = START
        """The time of the next event."""
        self._attempt = 0
        self._started = {"project": "some-project", **started}
        self.folder.journal.mkdir(parents=True)
        self._begin()

    def _begin(self) -> None:
        header = msgspec.structs.replace(
            new_header(self.id, self.folder.path.name, attempt=self._attempt), started=START
        )
        self._writer = JournalWriter(self.folder.rank_journal(0, self._attempt), header)
        self._append(RunStarted, attempt=self._attempt, **self._started)

    def _append(self, event_type: type, **fields: Any) -> float:
        moment = self.time
        self._writer.append(event_type, moment, **fields)
        self.time = round((moment + EVERY) / EVERY) * EVERY
        return moment

    def row(self, metrics: Mapping[str, float], step: int) -> float:
        """A row of numbers; returns its time."""
        return self._append(Metrics, step=step, metrics=_spelled(metrics))

    def params(self, params: Mapping[str, Any]) -> None:
        """Parameters."""
        self._append(Params, params=jsonable(dict(params)))

    def message(self, text: str, level: str = "info") -> None:
        """A line for people."""
        self._append(Message, text=text, level=level)

    def media(self, kind: str, key: str, step: int, caption: str = "") -> Path:
        """A small medium of this kind; returns its file."""
        ending, content = sample(kind)
        digest = sha256(content).hexdigest()
        path = self.folder.media / f"{digest[:32]}.{ending}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        where = path.relative_to(self.folder.path).as_posix()
        named = {"key": escape_key(key), "step": step, "media_kind": kind, "path": where}
        self._append(Media, **named, sha256=digest, caption=caption)
        return path

    def checkpoint(self, step: int, **metrics: float) -> Path:
        """A checkpoint of one small file; returns it."""
        path = self.folder.checkpoints / f"checkpoint-step-{step:03}.ckpt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"weights of step {step}".encode())
        where = path.relative_to(self.folder.path).as_posix()
        self._append(Checkpoint, step=step, path=where, size=path.stat().st_size, metrics=_spelled(metrics))
        return path

    def batch(self, lines: Iterable[int], step: int, epoch: int = 0, rank: int = 0, dataset: str = "") -> None:
        """The lines of the data that went into a step."""
        self._append(Batch, step=step, epoch=epoch, lines=tuple(lines), rank=rank, dataset=dataset)

    def artifact(self, name: str, content: bytes) -> Path:
        """A file that belongs to the run; returns it."""
        path = self.folder.artifacts / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self._append(Artifact, name=name, path=path.relative_to(self.folder.path).as_posix(), size=len(content))
        return path

    def end(self, status: str = "finished") -> None:
        """The end of the run."""
        self._append(RunEnded, status=status)
        self._writer.close()

    def resume(self, step: int | None = None) -> None:
        """A later attempt; it goes back to `step` if that is given."""
        self._attempt += 1
        self._begin()
        if step is not None:
            self._append(Rewind, step=step)


def _spelled(metrics: Mapping[str, float]) -> dict[str, Any]:
    """Numbers by key, as the journal holds them."""
    return {escape_key(key): spell(value) for key, value in metrics.items()}


def sample(kind: str) -> tuple[str, bytes]:
    """(file ending, content) of a small medium of this kind."""
    return _SAMPLES[kind]


def _png(width: int = 4, height: int = 3) -> bytes:
    """A picture with a different colour in each pixel."""
    rows = (b"".join(bytes((x * 60 % 256, y * 80 % 256, 128)) for x in range(width)) for y in range(height))
    lines = b"".join(b"\0" + row for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def _wav() -> bytes:
    """A tenth of a second of a square wave."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(struct.pack("<800h", *(8000 if number // 20 % 2 else -8000 for number in range(800))))
    return buffer.getvalue()


_GIF = bytes.fromhex(
    "47494638396102000200800000ff00000000ff21f90400000000002c00000000020002000002028c53003b"
)  # two colours, two by two pixels
_SAMPLES: dict[str, tuple[str, bytes]] = {
    "image": ("png", _png()),
    "figure": ("png", _png(6, 5)),
    "audio": ("wav", _wav()),
    "video": ("gif", _GIF),
    "html": ("html", b"<p>a page</p>"),
    "text": ("txt", "a text, 一段文字".encode()),
    "table": ("json", b'{"columns":["name","score"],"data":[["a",1],["b",2.5]]}'),
    "histogram": ("json", b'{"edges":[0,1,2,4],"counts":[3,1,2]}'),
}
