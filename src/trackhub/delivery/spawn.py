"""How a process of trackhub's own is started: free of the working folder, and of what the user has there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from trackhub.delivery.protocol import Orders

_HOME = str(Path(__file__).resolve().parents[2])
_BOOT = (
    "import sys; sys.path.append(sys.argv[1]); from importlib import import_module; import_module(sys.argv[2]).main()"
)


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs `main()` of a module of trackhub.

    ``-P`` keeps the working folder off the import path: a user's ``six.py`` or ``queue.py`` there must not be imported.
    trackhub's own folder comes last on the path, for when it runs from a source tree.
    """
    return [sys.executable, "-P", "-c", _BOOT, _HOME, module, *arguments]


def give(process: subprocess.Popen[bytes], orders: Orders) -> None:
    """Give a process its orders. One that is gone already is noticed by its exit code."""
    try:
        if process.stdin is not None:
            process.stdin.write(msgspec.json.encode(orders) + b"\n")
            process.stdin.flush()
    except BrokenPipeError:
        return


def environment() -> dict[str, str]:
    """This process's environment, with ``PYTHONPATH`` made absolute and without the working folder."""
    env = dict(os.environ)
    if path := env.get("PYTHONPATH"):
        here = os.getcwd()  # noqa: PTH109 - on the way of every start
        entries = [os.path.abspath(entry) for entry in path.split(os.pathsep) if entry]  # noqa: PTH100
        env["PYTHONPATH"] = os.pathsep.join(entry for entry in entries if entry != here)
    return env
