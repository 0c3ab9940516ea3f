"""One SwanLab offline folder: its records, how it is written, and how it is read back."""

from __future__ import annotations

import contextlib
import math
import os
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from google.protobuf.timestamp_pb2 import Timestamp
from swanlab.proto.swanlab.metric.column.v1.column_pb2 import ColumnType
from swanlab.proto.swanlab.metric.data.v1.data_pb2 import MediaRecord, ScalarRecord, ScalarValue
from swanlab.proto.swanlab.record.v1.record_pb2 import Record
from swanlab.proto.swanlab.run.v1.run_pb2 import FinishRecord, ResumeMode, StartRecord
from swanlab.proto.swanlab.save.v1.save_pb2 import SaveRecord, SaveType
from swanlab.proto.swanlab.settings.core.v1.core_pb2 import CoreSettings
from swanlab.proto.swanlab.terminal.v1.log_pb2 import LogRecord
from swanlab.sdk.internal.core_python.context import CoreContext
from swanlab.sdk.internal.core_python.pkg import builder
from swanlab.sdk.internal.core_python.pkg.counter import Counter
from swanlab.sdk.internal.core_python.store import DataStoreReader, DataStoreWriter
from swanlab.sdk.internal.pkg import adapter, console
from swanlab.sdk.internal.run.components.config.writer import dump_config, format_config

from trackhub.plugin import Row, RunInfo
from trackhub_swanlab import SwanlabOptions
from trackhub_swanlab.columns import SCALAR, Columns

STATES = {"finished": "success", "failed": "crashed", "killed": "aborted"}
"""trackhub's word for how a run ended, and SwanLab's."""
LONGEST_NOTES = 1024

console.c.quiet = True


class Fragment:
    """A new SwanLab offline folder, open for writing.

    Args:
        folder: must not exist.
        start: whose run it is.
    """

    def __init__(self, folder: Path, start: StartRecord) -> None:
        self.folder = folder
        for part in ("files", "media", "debug"):
            (folder / part).mkdir(parents=True)
        self._context = CoreContext.from_proto(CoreSettings(run_id=start.id, run_dir=str(folder)))
        self._counter = Counter()
        self._columns: set[str] = set()
        self._writer = DataStoreWriter()
        self._writer.open(self._context.run_file)
        # A courier that goes back to its cursor drops this instance: the file must not stay open.
        weakref.finalize(self, _close, self._writer)
        self._write(builder.build_start_record(start))

    def write_config(self, config: dict[str, Any]) -> None:
        """The whole configuration: in files/config.yaml for people, in the data file for an upload."""
        record = config_record(config)
        self._context.config_file.write_bytes(record.payload)
        self._write(builder.build_save_record(self._counter, record, record.type))

    def write_row(self, row: Row, columns: Columns) -> None:
        """One scalar record for each number of the row, and a column record for each new key."""
        for scalar in scalars(row, columns):
            self._declare(scalar)
            self._write(builder.build_scalar_record(self._counter, scalar))

    def write_media(self, media: MediaRecord) -> None:
        """One media record, whose file is in `media_folder` already."""
        self._declare(media)
        self._write(builder.build_media_record(self._counter, media))

    @property
    def media_folder(self) -> Path:
        """Where the files of media lie, in a folder for each type."""
        return self.folder / "media"

    def _declare(self, record: ScalarRecord | MediaRecord) -> None:
        if record.key not in self._columns:
            self._columns.add(record.key)
            column = builder.build_auto_column(self._context, record)
            self._write(builder.build_column_record(self._counter, column))

    def write_line(self, line: str, level: str, moment: float, number: int) -> None:
        """One line of the run's log; `number` counts them over all folders of the run."""
        record = log_record(line, level, moment)
        self._write(builder.build_log_record(self._counter, Counter(number - 1), record))

    def flush(self) -> None:
        """Let readers see what was written."""
        self._writer.ensure_flushed()

    def seal(self, status: str, moment: float) -> None:
        """Write how it ended, close the file, and wait until the disk has it."""
        self._write(builder.build_finish_record(finish_record(status, moment)))
        self._writer.close()
        for path in [*self.folder.rglob("*"), self.folder, self.folder.parent]:
            _sync(path)

    def _write(self, record: Record) -> None:
        self._writer.write(record.SerializeToString())


def scalars(row: Row, columns: Columns) -> Iterator[ScalarRecord]:
    """The row as SwanLab's records."""
    moment = timestamp(row.timestamp)
    kind = ColumnType.COLUMN_TYPE_SCALAR
    for key, value in row.metrics.items():
        number = ScalarValue(number=float(value))
        name = columns.of(key, SCALAR)
        yield ScalarRecord(key=name, step=row.step, type=kind, timestamp=moment, value=number)


def start_record(run: RunInfo, options: SwanlabOptions) -> StartRecord:
    """Whose run it is."""
    return StartRecord(
        project=options.project or project_name(run.project),
        workspace=options.workspace,
        name=run.name,
        description=(run.notes or "")[:LONGEST_NOTES],
        tags=list(run.tags),
        group=run.group,
        job_type=run.job_type,
        id=run.id,
        resume=ResumeMode.RESUME_MODE_ALLOW,
        started_at=timestamp(run.started),
    )


def config_record(config: dict[str, Any]) -> SaveRecord:
    """The whole configuration, as the YAML text that SwanLab keeps and uploads."""
    text = dump_config(format_config(plain(config), {key: index for index, key in enumerate(config)}))
    return SaveRecord(name="config", type=SaveType.SAVE_TYPE_CONFIG, payload=text.encode())


def project_name(name: str) -> str:
    """A project's name as SwanLab takes it: "my project" becomes "my-project"."""
    return re.sub(r"[^0-9a-zA-Z_\-+.]+", "-", name)[:100] or "default"


def finish_record(status: str, moment: float) -> FinishRecord:
    """How the run ended; SwanLab wants words for anything but success."""
    error = None if status == "finished" else f"run {status}"
    return FinishRecord(state=adapter.state[STATES[status]], error=error, finished_at=timestamp(moment))


def log_record(line: str, level: str, moment: float) -> LogRecord:
    """One line of the run's log. SwanLab knows INFO and ERROR only, so a warning says so in its text."""
    text = line if level in ("info", "error") else f"{level}: {line}"
    kind = adapter.level["ERROR" if level == "error" else "INFO"]
    return LogRecord(line=text, level=kind, timestamp=timestamp(moment))


def timestamp(moment: float) -> Timestamp:
    """Unix seconds as SwanLab's seconds and nanoseconds; `seconds_of` gives the same float back."""
    seconds = math.floor(moment)
    nanos = round((moment - seconds) * 1e9)
    return Timestamp(seconds=seconds + nanos // 10**9, nanos=nanos % 10**9)


def seconds_of(moment: Timestamp) -> float:
    """SwanLab's time as Unix seconds."""
    return float(moment.seconds + moment.nanos / 1e9)


def plain(value: Any) -> Any:
    """A parameter as YAML and JSON take it; NaN and the infinities become the words that the journal uses."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration that a folder holds, in its order."""
    path = folder / "files" / "config.yaml"
    stored = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {key: entry["value"] for key, entry in sorted(stored.items(), key=lambda item: item[1]["sort"])}


def read_records(folder: Path) -> Iterator[Record]:
    """The records of a folder's data file, up to the first damaged one."""
    for path in folder.glob("run-*.swanlab"):
        reader = DataStoreReader()
        reader.open(path)
        try:
            for data in reader:
                yield Record.FromString(data)
        finally:
            reader.close()


def read_points(folder: Path, key: str) -> list[tuple[int, float, float]]:
    """(step, value, timestamp) of every point of `key` in one folder."""
    found = (record.scalar for record in read_records(folder) if record.HasField("scalar"))
    return [(scalar.step, scalar.value.number, seconds_of(scalar.timestamp)) for scalar in found if scalar.key == key]


def _close(writer: DataStoreWriter) -> None:
    with contextlib.suppress(AssertionError, OSError):  # AssertionError: it is closed
        writer.close()


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
