"""What the processes of a delivery say to each other: JSON lines through pipes.

The trainer (or `trackhub sync`) writes one `Orders` line to the supervisor, and the supervisor one `Orders` line to
each courier. Options travel only here: never in argv, the environment or on disk. A courier answers in `Word` lines.
"""

from __future__ import annotations

from typing import Any

import msgspec

from trackhub.delivery.cost import Cost

BUSY = 75
"""Exit code of a supervisor or courier: another one delivers this already."""


class Orders(msgspec.Struct, kw_only=True):
    """What to deliver, to whom, with which options."""

    folder: str
    trackers: tuple[str, ...]
    options: dict[str, dict[str, Any]] = {}
    sources: dict[str, str] = {}
    """Where the class of a tracker lies that no distribution brings: ``file.py:Class``."""
    live: bool = True
    """Whether a training process writes the journal. If not, this is a `sync`: it ends with its parent."""
    couriers: bool = True
    """False for `delivery="later"`: the supervisor alone, no couriers."""
    trainer_pid: int = 0
    trainer_started: float = 0.0
    linger: float = 3600.0
    """Seconds that the deliveries go on after the run has ended."""


class Word(msgspec.Struct, omit_defaults=True):
    """A courier's sign of life."""

    hook: str = ""
    """The hook that is being called now; "" when none is."""
    deadline: float = 0.0
    """Seconds that the call may take."""
    backing_off: float = 0.0
    """Seconds until the next try, while the tracker wants to be left alone."""
    reason: str = ""
    done: bool = False
    """Everything is delivered."""
    parked: bool = False
    """It gave up: `reason` says why. A restart would not help."""


class TrackerStatus(msgspec.Struct):
    """What the supervisor knows of one courier."""

    state: str = "starting"
    """starting, delivering, backing off, parked, delivered, or stopped."""
    pid: int = 0
    hook: str = ""
    since: float = 0.0
    """Unix seconds at which the state or the hook began."""
    restarts: int = 0
    reason: str = ""


class SupervisorStatus(msgspec.Struct):
    """The content of ``delivery/supervisor/status.json``."""

    pid: int
    host: str
    started: float
    live: bool = True
    trackers: dict[str, TrackerStatus] = {}
    updated: float = 0.0
    stopped: bool = False
    pid_started: float = 0.0
    """The supervisor's start time, as `trackhub.processes.start_time` tells it."""
    cost: Cost = Cost()
    """What the supervisor itself has used so far."""
