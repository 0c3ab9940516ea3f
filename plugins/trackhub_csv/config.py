"""config.json: the run's parameters, later additions merged in."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import msgspec

from trackhub.plugin import Rebuild, RunInfo, jsonable, keep_aside, replace_file


class Config:
    """The file. It is known again by its checksum, which the run remembers before the file changes.

    Args:
        run: the run.
        resumed: whether the file goes on from what was stored before.

    Raises:
        Rebuild: the file is gone, or somebody else's by now (then it is moved aside).
    """

    def __init__(self, run: RunInfo, resumed: bool) -> None:
        self._run = run
        self._path = run.path / "config.json"
        self._params: dict[str, Any] = {}
        self._changed = False
        if resumed and self._known():
            self._params = self._load()

    def add(self, params: dict[str, Any]) -> None:
        """Take parameters; a later value of the same name counts."""
        self._params.update(params)
        self._changed = True

    def save(self) -> None:
        """Write the file, if there is something new."""
        if not self._changed:
            return
        content = msgspec.json.format(msgspec.json.encode(jsonable(self._params)), indent=2) + b"\n"
        if self._path.exists() and not self._is_ours():
            keep_aside(self._path)
        self._run.remember(_config=[*self._known()[-1:], crc32(content)])
        replace_file(self._path, [content])
        self._changed = False

    def _load(self) -> dict[str, Any]:
        if self._is_ours():
            params: dict[str, Any] = msgspec.json.decode(self._path.read_bytes())
            return params
        if self._path.exists():
            raise Rebuild(f"config.json is not what was stored: it is kept as {keep_aside(self._path).name}")
        raise Rebuild("config.json is gone")

    def _known(self) -> list[int]:
        """Checksums of what was written last, and before that."""
        return list(self._run.remembered.get("_config", []))

    def _is_ours(self) -> bool:
        return self._path.is_file() and crc32(self._path.read_bytes()) in self._known()
