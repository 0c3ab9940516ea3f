"""The typed face of one tracker: a PluginManager that holds exactly one plugin, and a method per hook.

In pluggy one raising plugin ends the whole call and drops all results, so plugins never share a manager.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pluggy

from trackhub.errors import ConfigError
from trackhub.hookspecs import TrackerSpec
from trackhub.plugin import UNSEALED, Artifact, Checkpoint, Limits, Media, Message, Row, RunInfo

HOOKS = tuple(sorted(name for name in vars(TrackerSpec) if not name.startswith("_")))
DEFAULT_DEADLINE = 60.0


def _ignore(_hook: str) -> None:
    """The default listener: nobody watches this tracker."""


class Tracker:
    """One tracker, opened through its hooks.

    Args:
        name: the tracker's name, for messages.
        plugin: an instance of the plugin class.
        before_call: called with the hook's name before each call, and with "" after it.

    Raises:
        ConfigError: the plugin implements a hook that does not exist, or with arguments that do not.
    """

    def __init__(self, name: str, plugin: object, before_call: Callable[[str], None] = _ignore) -> None:
        self.name = name
        self.plugin = plugin
        self._before_call = before_call
        self._manager = pluggy.PluginManager("trackhub")
        self._manager.add_hookspecs(TrackerSpec)
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise ConfigError(f"tracker {name!r}: {error}. The hooks and their arguments: docs/hooks.md") from error

    @property
    def hooks(self) -> tuple[str, ...]:
        """The hooks that the plugin implements, by name."""
        return tuple(hook for hook in HOOKS if self.has(hook))

    def has(self, hook: str) -> bool:
        """Whether the plugin implements `hook`."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def wants(self, hook: str, argument: str) -> bool:
        """Whether the plugin implements `hook` and takes this argument of it."""
        return any(argument in one.argnames for one in getattr(self._manager.hook, hook).get_hookimpls())

    @property
    def limits(self) -> Limits:
        """What the backend takes."""
        limits: Limits = getattr(self.plugin, "limits", None) or Limits()
        return limits

    @property
    def rule(self) -> str:
        """The idempotence rule, or "" for a tracker that may repeat after a crash."""
        return str(getattr(self.plugin, "idempotence", "") or "")

    @property
    def upload(self) -> str:
        """Which checkpoints and artifacts the tracker is given: none, last, best or all."""
        return str(getattr(self.plugin, "upload", "") or "all")

    def _call(self, hook: str, **arguments: Any) -> Any:
        self._before_call(hook)
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        finally:
            self._before_call("")

    def on_run_start(self, run: RunInfo, state: Any) -> None:
        """Open the run."""
        self._call("on_run_start", run=run, state=state)

    def log_params(self, params: dict[str, Any]) -> None:
        """Hand over parameters."""
        self._call("log_params", params=params)

    def log_rows(self, rows: list[Row]) -> None:
        """Hand over rows: as one batch where the plugin takes batches, else one by one."""
        if self.has("log_metrics_batch"):
            self._call("log_metrics_batch", rows=rows)
            return
        for row in rows:
            self._call("log_metrics", metrics=row.metrics, step=row.step, timestamp=row.timestamp)

    def log_media(self, media: Media) -> None:
        """Hand over one medium."""
        self._call("log_media", media=media, step=media.step, timestamp=media.t)

    def log_artifact(self, artifact: Artifact) -> None:
        """Hand over one file."""
        self._call("log_artifact", artifact=artifact)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Tell of one checkpoint."""
        self._call("save_checkpoint", checkpoint=checkpoint)

    def log_message(self, message: Message) -> None:
        """Hand over one line for people."""
        self._call("log_message", message=message)

    def on_rewind(self, step: int) -> None:
        """Tell that a resume went back."""
        self._call("on_rewind", step=step)

    def flush(self) -> tuple[bool, Any]:
        """Ask for everything to be safe. Returns (whether it is, the plugin's state)."""
        results = self._call("flush")
        state = results[0] if results else None
        return state is not UNSEALED, None if state is UNSEALED else state

    def on_run_end(self, status: str, summary: dict[str, dict[str, float]]) -> None:
        """Close the run."""
        self._call("on_run_end", status=status, summary=summary)

    def read_back(self, key: str) -> list[tuple[int, float, float]]:
        """What the backend holds under `key`, as (step, value, timestamp)."""
        result: list[tuple[int, float, float]] | None = self._call("read_back", key=key)
        return result or []


def deadline(plugin: object, hook: str) -> float:
    """Seconds that `hook` may take before its courier is killed."""
    stated: dict[str, float] = getattr(plugin, "deadlines", None) or {}
    return float(stated.get(hook, DEFAULT_DEADLINE))
