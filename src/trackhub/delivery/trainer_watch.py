"""Whether the training process lives: by pidfd where the system has it, else by pid and start time."""

from __future__ import annotations

import os
import select

from trackhub.processes import is_alive


class TrainerWatch:
    """Watches one process. A pipe would be a hint only: a DataLoader worker that inherits it hides the death.

    Args:
        pid: the training process; 0 for none.
        started: its start time, as `trackhub.processes.start_time` tells it.
    """

    def __init__(self, pid: int, started: float) -> None:
        self._pid = pid
        self._started = started
        self._descriptor = -1
        if is_alive(pid, started) and hasattr(os, "pidfd_open"):
            try:
                self._descriptor = os.pidfd_open(pid)
            except OSError:
                self._descriptor = -1

    def alive(self) -> bool:
        """Whether the process still runs."""
        if self._descriptor >= 0:
            return not select.select([self._descriptor], [], [], 0)[0]
        return is_alive(self._pid, self._started)
