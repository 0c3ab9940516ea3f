"""A plugin class under test, carried by a real courier in a process of its own."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from trackhub.delivery.cursor import Cursor, load
from trackhub.delivery.spawn import command, environment
from trackhub.journal.format import unspell
from trackhub.layout import RunFolder
from trackhub.local import tracker_name
from trackhub.testing.carrier import Answer, Errand, Points

WITHIN = 120.0
"""Seconds that one delivery may take."""


class Carried:
    """One plugin class and its options, ready to be given runs.

    Args:
        tracker: the plugin class, at the top of a module that other processes can import.
        options: its options.
        scratch: a folder for what the test needs; its ``home`` is the home folder of the tracker.
    """

    def __init__(self, tracker: type, options: dict[str, Any], scratch: Path) -> None:
        self.tracker = tracker
        self.name = tracker_name(tracker.__name__)
        self.home = scratch / "home"
        self._options = options
        self._scratch = scratch
        self._number = 0
        self.home.mkdir(parents=True, exist_ok=True)

    def deliver(self, folder: RunFolder, keys: list[str] | None = None, fault: dict[str, Any] | None = None) -> Points:
        """Deliver a run to its end, and read back `keys` (none by default). `fault` is as in `suffer`.

        Raises:
            AssertionError: it did not come to an end, or the tracker does not work.
        """
        done = self._run(folder, keys or [], self._sick(**fault) if fault else "pass")
        answer = msgspec.json.decode(done.stdout, type=Answer) if done.returncode == 0 else None
        assert answer is not None and answer.outcome == "done", (  # noqa: S101 - this is what a test calls
            f"{self.name} did not deliver: {answer.reason if answer else f'exit code {done.returncode}'}\n"
            f"{done.stderr.decode(errors='replace')[-3000:]}"
        )
        return {key: [(s, unspell(value), t) for s, value, t in found] for key, found in answer.points.items()}

    def suffer(self, folder: RunFolder, hook: str, fault: str, **how: Any) -> int:
        """Deliver a run while the tracker misbehaves in `hook`, as `trackhub.testing.faulty` does; the exit code.

        Here a flush follows each batch: whatever a flush called safe has to be there after a kill.
        """
        return self._run(folder, [], self._sick(hook, fault, **how), flush_every=0.0).returncode

    def cursor(self, folder: RunFolder) -> Cursor:
        """Cursor and receipt of the tracker."""
        return load(folder.cursor(self.name), self.name)

    def remembered(self, run: Path) -> dict[str, Any]:
        """What the tracker told ``run.remember`` of the run at `run`: its own id there, its url."""
        return self.cursor(RunFolder(run)).remembered

    def _run(self, folder: RunFolder, keys: list[str], change: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
        errand = Errand(
            folder=str(folder.path),
            name=self.name,
            source=f"{self._module(change)}:Carried",
            options=self._options,
            path=[entry for entry in sys.path if entry],
            keys=keys,
            **more,
        )
        return subprocess.run(
            command("trackhub.testing.carrier"),
            input=msgspec.json.encode(errand) + b"\n",
            capture_output=True,
            timeout=WITHIN,
            env={**environment(), "HOME": str(self.home)},
            cwd="/",
            check=False,
        )

    def _sick(self, hook: str, fault: str, **how: Any) -> str:
        """The line that makes the class under test misbehave."""
        self._number += 1
        counter = self._scratch / f"calls-{self._number}"
        return f"Carried = faulty(Carried, {hook!r}, {fault!r}, Path({str(counter)!r}), **{how!r})"

    def _module(self, change: str) -> Path:
        """A module that holds the class under test, changed."""
        path = self._scratch / f"carried_{os.getpid()}_{self._number}.py"
        lines = [
            "from pathlib import Path",
            f"from {inspect.getmodule(self.tracker).__name__} import {self.tracker.__qualname__} as Real",  # type: ignore[union-attr]
            "from trackhub.testing import faulty",
            f"class Carried(Real): __qualname__ = {self.tracker.__qualname__!r}",
            change,
        ]
        path.write_text("\n".join(lines) + "\n")
        return path
