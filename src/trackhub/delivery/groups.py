"""A courier's process group: what its SDK has started ends with it; where there are no groups, it alone does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TypedDict


class _Own(TypedDict, total=False):
    process_group: int


OWN: _Own = {} if sys.platform == "win32" else {"process_group": 0}
"""For `subprocess.Popen`: a group of its own, inside the session of its parent, whose share of the CPU it keeps to."""


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all of its group, also when the process itself is gone but not yet collected, or just was.

    The number of a group is not given away while anybody is in it, so no stranger is hit while one of them lives.
    """
    if sys.platform != "win32" and _leads(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    elif process.returncode is None:
        process.kill()


def end_own() -> None:
    """End the group that this process leads, this process included; nothing if it leads none."""
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


if sys.platform != "win32":

    def _leads(pid: int) -> bool:
        """Whether there is a group of this number."""
        try:
            os.killpg(pid, 0)
        except OSError:
            return False
        return True
