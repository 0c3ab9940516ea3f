"""trackhub: your run outlives any tracker.

    import trackhub

    with trackhub.start(trackers="swanlab,csv", config={"lr": 1e-4}, name="my-run") as run:
        for step in range(100):
            run.log_metrics({"train/loss": loss}, step=step)

`start`, `resume`, `Run` and the media (`Image`, `Audio`, ...) are loaded when they are first used: a script that
imports trackhub and then parses its arguments pays for the event types (that is, for msgspec) and no more.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from trackhub import events as events
from trackhub.errors import ConfigError, InvalidValue, JournalBusy, JournalError, TrackhubError

if TYPE_CHECKING:
    from trackhub.media import Audio, Figure, Histogram, Html, Image, Table, Text, Video
    from trackhub.run import Run
    from trackhub.starting import resume, start

_MEDIA = ("Audio", "Figure", "Histogram", "Html", "Image", "Table", "Text", "Video")
_HOMES = {"Run": "run", "resume": "starting", "start": "starting"} | dict.fromkeys(_MEDIA, "media")

__all__ = [
    "Audio",
    "ConfigError",
    "Figure",
    "Histogram",
    "Html",
    "Image",
    "InvalidValue",
    "JournalBusy",
    "JournalError",
    "Run",
    "Table",
    "Text",
    "TrackhubError",
    "Video",
    "events",
    "resume",
    "start",
]


def __getattr__(name: str) -> object:
    """Load a public name on its first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'trackhub' has no attribute {name!r}", name=name)
    value = globals()[name] = getattr(import_module(f"trackhub.{_HOMES[name]}"), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, *globals()]
