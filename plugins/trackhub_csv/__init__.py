"""The CSV tracker: metrics.csv, one row per event and one column per metric, and config.json."""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from trackhub.plugin import UNSEALED, Limits, Options, Rebuild, Row, RunInfo, hookimpl
from trackhub_csv.config import Config
from trackhub_csv.table import Table


class CsvOptions(Options):
    """The options of this tracker."""

    file: Annotated[str, Meta(description="name of the table, directly in the run folder; ends in .csv")] = (
        "metrics.csv"
    )


class CsvTracker:
    """Keeps a run as a wide table that any spreadsheet reads."""

    Options = CsvOptions
    limits = Limits(key_forbidden="[\ud800-\udfff]")
    idempotence = "truncate"
    rewinds = "replace"
    deadlines = dict.fromkeys(("on_run_start", "log_metrics_batch", "flush", "on_run_end"), 600.0)
    needs = ""
    extra = "csv"
    card = """metrics.csv in the run folder: step, timestamp (Unix seconds), then one column per metric in order of
    first appearance; one row per event, exact numbers, NaN, Infinity and -Infinity by name, an empty cell where nothing
    was logged. config.json: the parameters. After a crash the table is cut back to what is recorded (rule: truncate),
    after a rewind it is written again. A new column rewrites the file: with over 1,000 of them take jsonl."""

    def __init__(self, options: CsvOptions) -> None:
        if not re.fullmatch(r"\w[\w .+-]*\.csv", options.file):
            raise ValueError(f"file={options.file!r}: give a plain name that ends in .csv, e.g. file=metrics.csv")
        self._options = options

    @hookimpl
    def on_run_start(self, run: RunInfo, state: dict[str, Any] | None) -> None:
        """Open the table where the state left it. Nothing is written before the first flush."""
        name = self._options.file
        if state is not None and state["file"] != name:
            raise Rebuild(f"the table was {state['file']} and is {name} now")
        self._table = Table(run.path / name, state["table"] if state else None)
        try:
            self._config = Config(run, resumed=state is not None)
        except Rebuild:
            self._table.discard()
            raise
        run.remember(file=name)

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        """Add to config.json; the next flush writes it."""
        self._config.add(params)

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        """Append rows. The first with a new column, and those after it, wait for a flush."""
        self._table.add(rows)

    @hookimpl
    def on_rewind(self, step: int) -> None:
        """Discard the table and have it delivered again: the journal knows what counts."""
        self._table.discard()
        raise Rebuild(f"the run went back to step {step}")

    @hookimpl
    def flush(self) -> Any:
        """Write config.json and the waiting rows, if that is due; UNSEALED while rows wait."""
        self._config.save()
        table = self._table.flush()
        return table if table is UNSEALED else {"file": self._options.file, "table": table}

    @hookimpl
    def on_run_end(self) -> None:
        """Let no row wait any longer."""
        self._table.end()

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the table holds."""
        return list(self._table.read_back(key))
