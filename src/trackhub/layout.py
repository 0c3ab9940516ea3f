"""Every path inside `runs/`, in one place. Nothing else in trackhub joins a file name to a run folder."""

from __future__ import annotations

import os
import re
from pathlib import Path

from trackhub.errors import ConfigError

_UNSAFE = re.compile(r"[^\w\-.+ =@,()]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def runs_dir(given: str | os.PathLike[str] | None = None) -> Path:
    """The folder that holds the runs: `given`, else ``TRACKHUB_RUNS_DIR``, else ``runs`` here; absolute."""
    return Path(given or os.environ.get("TRACKHUB_RUNS_DIR") or "runs").absolute()


def safe_name(name: str) -> str:
    """`name` as a file name that every system allows, at most 200 bytes, never leaving its folder."""
    cleaned = _UNSAFE.sub("_", name).strip(" .")[:100]
    cleaned = cleaned.encode()[:200].decode(errors="ignore").rstrip(" .")
    return f"_{cleaned}" if not cleaned or _RESERVED.fullmatch(cleaned) else cleaned


class RunFolder:
    """The paths of one run. Making one touches no disk."""

    OURS = ("journal", "delivery", "media", "artifacts", "logs", "config.yaml")
    """What trackhub itself keeps in a run folder, by name."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self.config = self.path / "config.yaml"
        self.journal = self.path / "journal"
        self.delivery = self.path / "delivery"
        self.delivery_log = self.delivery / "delivery.log"
        self.supervisor_status = self.delivery / "supervisor" / "status.json"
        self.supervisor_lock = self.delivery / "supervisor" / "lock"
        self.added = self.delivery / "supervisor" / "added.json"
        self.supervisor_journal = self.journal / "supervisor.jsonl"
        self.logs = self.path / "logs"
        self.media = self.path / "media"
        self.checkpoints = self.path / "checkpoints"
        self.final_model = self.path / "final_model"
        self.artifacts = self.path / "artifacts"

    def rank_journal(self, rank: int, attempt: int = 0, pid: int | None = None) -> Path:
        """The journal file of one writer: one writer a file, for ever."""
        parts = [f"rank-{rank}", *([str(attempt)] if attempt else []), *([f"pid-{pid}"] if pid else [])]
        return self.journal / (".".join(parts) + ".jsonl")

    def media_file(self, sha256: str, extension: str) -> Path:
        """The file of one medium, named by its content: the first 32 of the 64 hexadecimal digits of its hash."""
        return self.media / f"{sha256[:32]}.{extension}"

    def cursor(self, tracker: str) -> Path:
        """How far the courier of `tracker` has got, and its receipt."""
        return self.delivery / f"{safe_name(tracker)}.json"

    def courier_lock(self, tracker: str) -> Path:
        """Held by the one courier of `tracker`."""
        return self.delivery / "supervisor" / f"{safe_name(tracker)}.lock"


def find_run(run: str | os.PathLike[str], under: str | os.PathLike[str] | None = None) -> RunFolder:
    """The folder of `run`: a path, the name of a run's folder, or what stands before the time in one such name.

    Raises:
        ConfigError: no such run, or several; the message names where it was looked for and close matches.
    """
    import difflib

    base = runs_dir(under)
    for candidate in (Path(run), base / run):
        if (candidate / "journal").is_dir():
            return RunFolder(candidate)
    names = [folder.path.name for folder in all_runs(base)]
    begun = [name for name in names if name.startswith(f"{os.fspath(run)}_")]
    if len(begun) == 1:
        return RunFolder(base / begun[0])
    if begun:
        raise ConfigError(
            f"{len(begun)} runs under {base} are called {os.fspath(run)!r}: {', '.join(begun[-5:])}. Name one"
        )
    close = difflib.get_close_matches(Path(run).name, names, n=3, cutoff=0.4)
    hint = f" Close matches: {', '.join(close)}." if close else ""
    raise ConfigError(
        f"run {os.fspath(run)!r} is neither a run folder nor a name under {base}.{hint} "
        f"List them: trackhub runs --runs-dir {base}"
    )


def all_runs(under: Path) -> list[RunFolder]:
    """The runs directly under a runs folder, by name."""
    if not under.is_dir():
        return []
    return [RunFolder(path) for path in sorted(under.iterdir()) if (path / "journal").is_dir()]
