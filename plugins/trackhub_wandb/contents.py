"""Media, checkpoints and artifacts as the SDK's own objects: each a copy, never a link to the user's file."""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import wandb

from trackhub.plugin import Artifact, Checkpoint, Media, Rejected, jsonable

LONGEST_NAME = 128
"""Characters that W&B takes in the name of an artifact."""


def value_of(media: Media) -> Any:
    """A medium as W&B's value.

    Raises:
        Rejected: the file is missing, broken, or of a format that W&B does not take.
    """
    try:
        return _MAKERS[media.media_kind](media)
    except Exception as error:  # noqa: BLE001 - whatever pillow, JSON or the SDK raise for a broken file
        raise Rejected(f"W&B takes no such {media.media_kind}: {error}") from None


def _image(media: Media) -> Any:
    return wandb.Image(media.path, caption=media.caption or None)


def _audio(media: Media) -> Any:
    return wandb.Audio(media.path, caption=media.caption or None)


def _video(media: Media) -> Any:
    return wandb.Video(media.path, caption=media.caption or None)


def _html(media: Media) -> Any:
    return wandb.Html(Path(media.path).read_text(encoding="utf-8"), inject=False, data_is_not_path=True)


def _text(media: Media) -> Any:
    """W&B has no kind for texts; as a page it is shown beside the other media, with its line breaks."""
    text = Path(media.path).read_text(encoding="utf-8")
    return wandb.Html(f"<pre>{html.escape(text)}</pre>", inject=False, data_is_not_path=True)


def _table(media: Media) -> Any:
    stored = json.loads(Path(media.path).read_bytes())
    return wandb.Table(columns=stored["columns"], data=stored["data"], allow_mixed_types=True)


def _histogram(media: Media) -> Any:
    stored = json.loads(Path(media.path).read_bytes())
    return wandb.Histogram(np_histogram=(stored["counts"], stored["edges"]))


_MAKERS = {
    "audio": _audio,
    "figure": _image,
    "histogram": _histogram,
    "html": _html,
    "image": _image,
    "table": _table,
    "text": _text,
    "video": _video,
}


def file_stem(key: str) -> str:
    """A key as part of a file's name: W&B takes it for a path, of any length and with "..", in its media folder."""
    return re.sub(r"[^\w-]+", "-", key)[:40] or "media"


def checkpoint_artifact(run_id: str, checkpoint: Checkpoint) -> Any:
    """A checkpoint as the next version of the run's model, as W&B's own integrations name it."""
    metadata = {"step": checkpoint.step, **jsonable(checkpoint.metrics)}
    return _filled(wandb.Artifact(artifact_name(f"model-{run_id}"), "model", metadata=metadata), checkpoint.path)


def file_artifact(run_id: str, artifact: Artifact) -> Any:
    """A file of the run as an artifact of its own; W&B's names are shared by the whole project."""
    name = artifact_name(f"run-{run_id}-{artifact.name}")
    return _filled(wandb.Artifact(name, "dataset", metadata=jsonable(artifact.metadata)), artifact.path)


def artifact_name(name: str) -> str:
    """A name as W&B takes it: with a piece of its hash where it had to be changed."""
    clean = re.sub(r"[^A-Za-z0-9_.-]", "-", name)
    if clean == name and len(name) <= LONGEST_NAME:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{clean[: LONGEST_NAME - len(mark) - 1]}-{mark}"


def _filled(artifact: Any, path: str) -> Any:
    """The artifact with a copy of a file, or of every file of a folder."""
    source = Path(path)
    if not source.exists():
        raise Rejected(f"{path} is gone")
    if source.is_file():
        artifact.add_file(str(source), name=source.name)
    for file in sorted(source.rglob("*") if source.is_dir() else ()):
        if file.is_file():
            artifact.add_file(str(file), name=file.relative_to(source).as_posix())
    return artifact
