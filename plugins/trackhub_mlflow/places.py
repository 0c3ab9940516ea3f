"""Where MLflow keeps its data: what may be named, and what a local database needs. This imports no SDK."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from trackhub.plugin import Rejected, RunInfo

SQLITE = "sqlite:///"
NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse")
"""Types of file systems, by how they begin, on which several machines may hold one file open."""


def checked(uri: str) -> str:
    """`uri`, if a run can be kept there.

    Raises:
        ValueError: a folder, which is MLflow's old file store; or a relative path, which a courier cannot resolve.
    """
    if uri.startswith(SQLITE) and not PurePath(uri.removeprefix(SQLITE)).is_absolute():
        raise ValueError(f"tracking_uri={uri!r} is relative: give the whole path, sqlite:////home/me/mlflow.db")
    if not uri.startswith("databricks") and urlsplit(uri).scheme in ("", "file"):
        raise ValueError(
            f"tracking_uri={uri!r} is a folder, and MLflow's file store repeats points after a crash: "
            "give http://host:5000 or sqlite:////home/me/mlflow.db, or nothing for runs/mlflow.db"
        )
    return uri


def has_secret(uri: str) -> bool:
    """Whether a password or a token stands in `uri`."""
    login = _login(uri)
    return ":" in login or (bool(login) and uri.startswith("http"))


def without_login(uri: str) -> str:
    """`uri` without user and password: the form that may be written to disk."""
    return uri.replace(_login(uri), "", 1)


def _login(uri: str) -> str:
    """What stands before the host, with its "@"; "" for nothing. Passwords of databases may hold a slash."""
    if uri.startswith(SQLITE):
        return ""
    found = re.search(r"(?<=://)[^/@]*@" if uri.startswith("http") else r"(?<=://)[^@]*@", uri)
    return found[0] if found else ""


def local_database(uri: str) -> Path | None:
    """The file of a sqlite database, or None for anything else."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def network_file_system(path: Path, mounts: str) -> str | None:
    """The type of the network file system that holds `path`, or None for a local one.

    Args:
        path: absolute and resolved.
        mounts: the text of ``/proc/mounts``; of several mounts on one folder the last counts.
    """
    kind, depth = "", -1
    for line in mounts.splitlines():
        fields = line.split(" ")
        folder = Path(re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields[1]))
        if len(folder.parts) >= depth and path.is_relative_to(folder):
            kind, depth = fields[2], len(folder.parts)
    return kind if kind.startswith(NETWORK) else None


def mounts() -> str:
    """What is mounted here; nothing where the system does not say."""
    try:
        return Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def beside(run: RunInfo) -> str:
    """The database of the runs folder.

    Raises:
        Rejected: it would lie on a network file system, where sqlite breaks.
    """
    database = run.runs_dir.resolve() / "mlflow.db"
    kind = network_file_system(database.parent, mounts())
    if kind is not None:
        raise Rejected(
            f"{database.parent} is on a network file system ({kind}), where a sqlite database breaks. Name a server: "
            "--tracker-opt mlflow.tracking_uri=http://host:5000, or a file on a local disk: "
            "--tracker-opt mlflow.tracking_uri=sqlite:////home/me/mlflow.db"
        )
    return f"{SQLITE}{database}"


def whereabouts(uri: str, found: Any) -> dict[str, str]:
    """What helps a person find the run: its page, or the database."""
    home = without_login(uri).rstrip("/")
    if not uri.startswith("http"):
        return {"store": home}
    return {"url": f"{home}/#/experiments/{found.info.experiment_id}/runs/{found.info.run_id}"}
