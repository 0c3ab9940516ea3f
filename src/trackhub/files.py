"""Files that belong to a run: kept without a second copy where the disk allows, and never in place of another."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from trackhub.layout import safe_name
from trackhub.secrets import redact_text


def sync(path: Path) -> None:
    """Put what was written to a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep(source: Path, target: Path) -> Path | None:
    """Hard-link `source` to `target`, or copy it where links do not reach; None if it cannot be read.

    An existing target is never replaced: the new one gets a number.
    """
    try:
        if not source.is_file():
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    for candidate in _numbered(target):
        try:
            os.link(source.resolve(), candidate)
        except FileExistsError:
            continue
        except OSError:
            return _copy(source, candidate)
        return candidate
    return None


def keep_named(source: str | os.PathLike[str], name: str | None, folder: Path) -> Path | None:
    """`keep` the file under `name` (its own by default) in `folder`, whatever the name says never outside of it."""
    try:
        parts = Path(redact_text(str(name or Path(source).name))).parts
    except TypeError:
        return None
    return keep(Path(source), folder.joinpath(*map(safe_name, parts)))


def _copy(source: Path, target: Path) -> Path | None:
    import shutil

    try:
        with target.open("xb") as out, source.open("rb") as data:
            shutil.copyfileobj(data, out)
    except OSError:
        return None
    return target


def _numbered(path: Path) -> list[Path]:
    return [path, *(path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(2, 1000))]


def first_free(candidates: Iterable[Path]) -> Path:
    """The first of the paths at which nothing lies, not even a broken link."""
    return next(path for path in candidates if not os.path.lexists(path))


def locate(path: str | os.PathLike[str], run: Path) -> Path | None:
    """`path` as it is from here or from inside the run folder, the newer of the two; None if neither exists."""
    try:
        candidates = (Path(path).absolute(), run / path)
    except TypeError:
        return None
    return max((one for one in candidates if one.exists()), key=lambda one: one.stat().st_mtime, default=None)


def relative(path: Path, run: Path) -> str:
    """`path` relative to the run folder, with forward slashes, if it lies inside; else absolute."""
    return path.relative_to(run).as_posix() if path.is_relative_to(run) else str(path)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 if they change while they are counted."""
    try:
        if path.is_dir():
            return sum(entry.stat().st_size for entry in path.rglob("*") if entry.is_file())
        return path.stat().st_size
    except OSError:
        return 0
