"""Files of a run as MLflow's artifacts: always under the same path, so that a replay overwrites with the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec
from mlflow import MlflowClient

from trackhub.plugin import Media, jsonable
from trackhub_mlflow.answers import TIMEOUT

TABLES, IMAGES = "mlflow.loggedArtifacts", "mlflow.loggedImages"
"""Tags by which MLflow's pages know that a run has tables, and pictures by step."""
LONGEST_TAG = 8000
LONGEST_PART = 200
"""Bytes of one part of a path; file systems take 255."""
SHOWN = (".png", ".webp")
"""Formats that MLflow's picture grid takes."""
SMALL = 256
"""Pixels on the longer side of the small picture that the grid shows first."""
RATE = 1e6
"""Bytes a second that an upload is given before it counts as hung."""


class Files:
    """The artifacts of one run.

    Args:
        client: of the store.
        run_id: MLflow's.
    """

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    def put(self, path: Path, to: str) -> None:
        """Upload a file, or all files of a folder, as the artifact `to`."""
        if path.is_dir():
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                self.put(file, "/".join([to, *map(part, file.relative_to(path).parts)]))
            return
        folder, _, name = to.rpartition("/")
        with _scratch() as scratch, self._patience(path.stat().st_size):
            self._client.log_artifact(self._run_id, str(_named(path, scratch / name)), folder or None)

    def put_kept(self, path: Path, run: Path) -> None:
        """Upload what lies in the run folder, under the same path; from elsewhere, under its name."""
        parts = path.relative_to(run).parts if path.is_relative_to(run) else (path.name,)
        self.put(path, "/".join(map(part, parts)))

    def put_text(self, text: str, to: str) -> None:
        """Upload a text as the artifact `to`."""
        with _scratch() as scratch:
            (scratch / "text").write_text(text, encoding="utf-8")
            self.put(scratch / "text", to)

    def put_json(self, value: Any, to: str) -> None:
        """Upload a configuration as JSON."""
        self.put_text(msgspec.json.format(msgspec.json.encode(jsonable(value)), indent=2).decode(), to)

    def put_media(self, media: Media) -> None:
        """Upload a medium: a picture where MLflow shows pictures by step, anything else under ``media/``."""
        if media.media_kind in ("image", "figure"):
            self._put_picture(media)
            return
        path = Path(media.path)
        to = "/".join(["media", *map(part, media.key.split("/")), f"{media.step}-{media.sha256[:8]}{path.suffix}"])
        self.put(path, to)
        if media.media_kind == "table":
            self._tell_of_table(to)

    def _put_picture(self, media: Media) -> None:
        """Two files, as `MlflowClient.log_image` makes them, but with a name that is the same after a replay."""
        from PIL import Image

        name = f"images/{_picture_name(media)}"
        with Image.open(media.path) as picture, _scratch() as scratch:
            small = picture.convert("RGBA")
            small.thumbnail((SMALL, SMALL))
            small.save(scratch / "small.webp")
            full = Path(media.path)
            if full.suffix not in SHOWN:
                full = scratch / "full.png"
                picture.convert("RGBA").save(full)
            self.put(full, f"{name}{full.suffix}")
            self.put(scratch / "small.webp", f"{name}+compressed.webp")
        self._client.set_tag(self._run_id, IMAGES, "true")

    def _tell_of_table(self, path: str) -> None:
        """Add a table to those that MLflow's pages offer; as many as fit the tag."""
        told = self._client.get_run(self._run_id).data.tags.get(TABLES, "[]")
        tables = json.loads(told)
        table = {"path": path, "type": "table"}
        if table not in tables and len(longer := json.dumps([*tables, table])) <= LONGEST_TAG:
            self._client.set_tag(self._run_id, TABLES, longer)

    @contextmanager
    def _patience(self, size: int) -> Iterator[None]:
        """Give a request with so many bytes its time; MLflow reads it from the environment at each call."""
        usual = os.environ[TIMEOUT]
        os.environ[TIMEOUT] = str(int(usual) + int(size / RATE))
        try:
            yield
        finally:
            os.environ[TIMEOUT] = usual


def part(text: str) -> str:
    """`text` as one part of a path that every artifact store takes; what had to change ends in a hash."""
    clean = re.sub(r"[^\w.\- ]", "_", text)
    if clean == text and clean.strip(". ") and len(clean.encode()) <= LONGEST_PART:
        return clean
    suffix = PurePosixPath(clean).suffix[:20]
    stem = clean.removesuffix(suffix).encode()[: LONGEST_PART - 40].decode(errors="ignore")
    return f"{stem}-{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}{suffix}"


def _picture_name(media: Media) -> str:
    """The name that MLflow's pages take apart: key, step, time and an id, with "~" for "/"."""
    key = "~".join(map(part, media.key.split("/")))
    moment = round(media.t * 1000)
    unique = uuid5(NAMESPACE_OID, f"{media.key} {media.step} {moment} {media.sha256}")
    return f"{key}+step+{media.step}+timestamp+{moment}+{unique}"


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="trackhub-mlflow-") as folder:
        yield Path(folder)


def _named(path: Path, name: Path) -> Path:
    """`path` under another name: MLflow takes the artifact's name from the file's."""
    try:
        name.symlink_to(path)
    except OSError:  # Windows without the right to make links
        shutil.copy2(path, name)
    return name
