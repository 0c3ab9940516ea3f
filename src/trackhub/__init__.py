"""trackhub: your run outlives any tracker.

import trackhub

with trackhub.start(trackers="swanlab,csv", config={"lr": 1e-4}, name="my-run") as run:
    for step in range(100):
        run.log_metrics({"train/loss": loss}, step=step)
"""

from trackhub.errors import ConfigError, InvalidValue, JournalBusy, JournalError, TrackhubError
from trackhub.run import Run
from trackhub.starting import resume, start

__all__ = [
    "ConfigError",
    "InvalidValue",
    "JournalBusy",
    "JournalError",
    "Run",
    "TrackhubError",
    "resume",
    "start",
]
