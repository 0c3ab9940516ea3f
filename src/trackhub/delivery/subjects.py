"""What a tracker takes, and what stays in the run folder: the one rule for courier and receipt."""

from __future__ import annotations

from trackhub.delivery.facade import Tracker
from trackhub.events import Artifact, Checkpoint, Event, Media, Message, Metrics, Params

_HOOKS: dict[type, str] = {
    Metrics: "log_metrics",
    Params: "log_params",
    Media: "log_media",
    Artifact: "log_artifact",
    Checkpoint: "save_checkpoint",
    Message: "log_message",
}
FILES = ("log_artifact", "save_checkpoint")
"""Hooks that hand over whole files, as the tracker's upload policy says."""


def hook_of(event: Event) -> str:
    """The hook that delivers `event`; "" for events that are not delivered."""
    return _HOOKS.get(type(event), "")


def subject(event: Event) -> str:
    """What `event` is about, as `taken` names it: the hook, and the kind of a medium behind it."""
    return f"log_media {event.media_kind}" if isinstance(event, Media) else hook_of(event)


def taken(tracker: Tracker) -> set[str]:
    """The subjects that a tracker takes as they come."""
    hooks = {hook for hook in _HOOKS.values() if tracker.has(hook)}
    if tracker.has("log_metrics_batch"):
        hooks.add("log_metrics")
    if "log_media" in hooks:
        hooks |= {f"log_media {kind}" for kind in tracker.limits.media}
    return hooks - {"log_media"} - (set() if tracker.upload == "all" else set(FILES))


def stays(event: Event) -> str:
    """What people call a file that a tracker was not given: "image", "checkpoint"; "" for anything but a file."""
    if isinstance(event, Media):
        return event.media_kind
    return type(event).__name__.lower() if isinstance(event, Artifact | Checkpoint) else ""
