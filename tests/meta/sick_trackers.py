"""A tracker that passes the conformance kit, and one for each thing that can be wrong with it; see `test_kit.py`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from trackhub.plugin import AppendFile, Checkpoint, Limits, Media, Options, Rebuild, Row, RunInfo, hookimpl
from trackhub.testing import Carried, TrackerConformance


class GoodOptions(Options):
    api_key: Annotated[str, Meta(description="a key", extra={"secret": True})] = ""


class Good:
    """Lines of JSON, and a folder of media."""

    Options: type[Options] = GoodOptions
    limits = Limits(media=frozenset({"image"}))
    idempotence = "truncate"
    rewinds = "replace"
    card = "Lines of JSON in the run folder, for tests of the kit."

    def __init__(self, options: Any) -> None:
        self.options = options

    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        self.run = run
        self.file = AppendFile(run.path / "lines.jsonl", state, begins=b"[")
        run.remember(run_id=self.run_id())

    def run_id(self) -> str:
        return self.run.id

    def write(self, what: str, *content: Any) -> None:
        self.file.append((json.dumps([what, *content]) + "\n").encode())

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        for row in rows:
            self.write("row", *self.point(row))

    def point(self, row: Row) -> tuple[dict[str, float], int, float]:
        return row.metrics, row.step, row.timestamp

    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        self.write("params", params)

    @hookimpl
    def log_media(self, media: Media) -> None:
        self.write("media", media.key, media.step, media.path)

    @hookimpl
    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.write("checkpoint", checkpoint.path)

    @hookimpl
    def on_rewind(self, step: int) -> None:
        self.file.discard()
        raise Rebuild("the run went back")

    @hookimpl
    def on_run_end(self, status: str) -> None:
        self.write("end", status)

    @hookimpl
    def flush(self) -> Any:
        return self.file.flush()

    @hookimpl
    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        rows = [row for what, *row in map(json.loads, self.file.lines()) if what == "row"]
        return [(step, metrics[key], moment) for metrics, step, moment in rows if key in metrics]


class LosesPoints(Good):
    def point(self, row: Row) -> tuple[dict[str, float], int, float]:
        return ({} if row.step == 1_234 else row.metrics), row.step, row.timestamp


class RoundsTimes(Good):
    def point(self, row: Row) -> tuple[dict[str, float], int, float]:
        return row.metrics, row.step, round(row.timestamp, 2)


class Narrow(Good):
    def point(self, row: Row) -> tuple[dict[str, float], int, float]:
        return {key: float(f"{value:.7g}") for key, value in row.metrics.items()}, row.step, row.timestamp


class FoldsKeys(Good):
    def point(self, row: Row) -> tuple[dict[str, float], int, float]:
        return {**row.metrics, **{key.lower(): value for key, value in row.metrics.items()}}, row.step, row.timestamp


class LosesParams(Good):
    @hookimpl
    def log_params(self, params: dict[str, Any]) -> None:
        self.write("params", {key: value for key, value in params.items() if not isinstance(value, dict)})


class MixesMedia(Good):
    @hookimpl
    def log_media(self, media: Media) -> None:
        self.write("media", "image", media.step, media.path)


class SaysFinished(Good):
    @hookimpl
    def on_run_end(self, status: str) -> None:
        self.write("end", "finished")


class NeverCutsBack(Good):
    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        if state:
            path = run.path / "lines.jsonl"
            state = {**state, "size": path.stat().st_size}
        super().on_run_start(run, state)


class DisownsItsFile(Good):
    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        self.run = run
        self.file = AppendFile(run.path / "lines.jsonl", state)


class FlushesNothing(Good):
    """Keeps rows in memory, and says that they are safe."""

    def __init__(self, options: Any) -> None:
        super().__init__(options)
        self.rows: list[Row] = []

    @hookimpl
    def log_metrics_batch(self, rows: list[Row]) -> None:
        self.rows += rows

    @hookimpl
    def on_run_end(self, status: str) -> None:
        super().log_metrics_batch(self.rows)


class ForgetsRun(Good):
    def run_id(self) -> str:
        return os.urandom(4).hex()


class KeepsWhatWentBack(Good):
    @hookimpl
    def on_rewind(self, step: int) -> None:
        return


class Overwrites(Good):
    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        if state is None:
            (run.path / "lines.jsonl").unlink(missing_ok=True)
        super().on_run_start(run, state)


class LeavesHome(Good):
    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        (Path.home() / ".sick").touch()
        super().on_run_start(run, state)


class WritesSecret(Good):
    @hookimpl
    def on_run_start(self, run: RunInfo, state: Any) -> None:
        super().on_run_start(run, state)
        self.write("key", self.options.api_key)


class PinOptions(Options):
    pin: Annotated[str, Meta(description="a secret that does not say so", extra={"secret": True})] = ""


class NamesSecretBadly(Good):
    Options = PinOptions


class MuteOptions(GoodOptions):
    mute: int = 0


class SaysNothingOfAnOption(Good):
    Options = MuteOptions


class Claims(Good):
    limits = Limits(media=frozenset({"painting"}))


class Reading(TrackerConformance):
    """How all of them are read."""

    def lines(self, run: Path, what: str) -> list[Any]:
        written = map(json.loads, (run / "lines.jsonl").read_bytes().splitlines())
        return [content for kind, *content in written if kind == what]

    def read_params(self, run: Path, carried: Carried) -> dict[str, Any]:
        return {key: value for (params,) in self.lines(run, "params") for key, value in params.items()}

    def read_status(self, run: Path, carried: Carried) -> str:
        status: str = self.lines(run, "end")[-1][0]
        return status

    def read_media(self, run: Path, carried: Carried, kind: str) -> list[tuple[str, int, bytes]]:
        return [(key, step, Path(path).read_bytes()) for key, step, path in self.lines(run, "media")]


SICK = [one for one in list(globals().values()) if isinstance(one, type) and issubclass(one, Good)]
for _sick in SICK:
    globals()[f"Test{_sick.__name__}"] = type(f"Test{_sick.__name__}", (Reading,), {"tracker": _sick})
