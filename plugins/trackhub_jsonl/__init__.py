"""The JSON Lines tracker: metrics.jsonl, one flat object per event."""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from trackhub.plugin import AppendFile, Limits, Options, Rebuild, Row, RunInfo, hookimpl

BEGINS = b'{"step":'
_COLLIDES = re.compile(r"(metric\.)*(step|timestamp)")
_NONFINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_encode_lines = msgspec.json.Encoder().encode_lines
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class JsonlOptions(Options):
    """The options of this tracker."""

    file: Annotated[str, msgspec.Meta(description="name of the file, directly in the run folder; ends in .jsonl")] = (
        "metrics.jsonl"
    )


class JsonlTracker:
    """Keeps a run as one JSON object per line."""

    Options = JsonlOptions
    limits = Limits(key_forbidden="[\ud800-\udfff]")
    idempotence = "truncate"
    rewinds = "replace"
    needs = ""
    extra = "jsonl"
    card = """metrics.jsonl in the run folder: one flat object per event, {"step": 1, "timestamp": 2.5, "<metric>": 3},
    exact numbers, NaN and the infinities as the strings "NaN", "Infinity" and "-Infinity". Any number of metrics. After
    a crash the file is cut back to what is recorded (rule: truncate), after a rewind it is written again."""

    def __init__(self, options: JsonlOptions) -> None:
        if not re.fullmatch(r"\w[\w .+-]*\.jsonl", options.file):
            raise ValueError(f"file={options.file!r}: give a plain name that ends in .jsonl, e.g. file=metrics.jsonl")
        self._options = options

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Open the file where the state left it. Nothing is written before the first flush."""
        name = self._options.file
        if state is not None and state["file"] != name:
            raise Rebuild(f"the file was {state['file']} and is {name} now")
        self._file = AppendFile(run.path / name, state["lines"] if state else None, begins=BEGINS)
        self._names = _Names()
        run.remember(file=name)

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Append one line per row."""
        names = self._names
        self._file.append(_encode_lines([_flat(row, names) for row in rows]))

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """Discard the file and have it delivered again: the journal knows what counts."""
        self._file.discard()
        raise Rebuild(f"the run went back to step {step}")

    @hookimpl
    def flush(self) -> dict[str, Any]:
        """Put the file on the disk."""
        return {"file": self._options.file, "lines": self._file.flush()}

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the file holds."""
        name = self._names[key]
        rows = (_decode(line) for line in self._file.lines())
        return [(row["step"], _number(row[name]), row["timestamp"]) for row in rows if name in row]


class _Names(dict[str, str]):
    """Metrics to names in a line: the same; ``metric.step`` for a metric that is itself called ``step``."""

    def __missing__(self, key: str) -> str:
        self[key] = f"metric.{key}" if _COLLIDES.fullmatch(key) else key
        return self[key]


def _flat(row: Row, names: dict[str, str]) -> dict[str, Any]:
    """The object of one row. ``value - value`` is 0 for every number but NaN and the infinities."""
    flat: dict[str, Any] = {"step": row.step, "timestamp": row.timestamp}
    for key, value in row.metrics.items():
        flat[names[key]] = value if value - value == 0 else _spelled(value)
    return flat


def _spelled(value: float) -> str:
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"


def _number(value: Any) -> float:
    """The inverse of `_spelled`: a string stands where a number belongs."""
    number: float = _NONFINITE[value] if isinstance(value, str) else value
    return number
