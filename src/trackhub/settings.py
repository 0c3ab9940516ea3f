"""Which trackers, and with which options: from the argument, the environment, or a config file.

The names come from the argument, else ``TRACKHUB_TRACKERS``, else the file named by ``TRACKHUB_CONFIG``, else
``csv``. Options of a tracker come together from the file, from ``TRACKHUB_<TRACKER>_<OPTION>`` and from the
argument, the later ones winning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from trackhub import local
from trackhub.errors import ConfigError
from trackhub.secrets import REDACTED
from trackhub.variables import prefix

Trackers = str | Iterable[Any] | Mapping[Any, Mapping[str, Any]] | None
"""How a user names trackers: "swanlab,csv", ["swanlab", "csv"], or {"mlflow": {"tracking_uri": ...}}. Beside
names: ``file.py:Class``, and in a list an object that has the hooks."""


class Selection(msgspec.Struct, frozen=True):
    """The trackers of a run, and the options of each."""

    names: tuple[str, ...]
    options: dict[str, dict[str, Any]]
    sources: dict[str, str] = {}
    """Where the class of a tracker lies that no distribution brings: ``file.py:Class``, or `local.OBJECT`."""
    objects: dict[str, Any] = {}
    """The trackers that were given as objects."""

    def __str__(self) -> str:
        """The names as they would be given again."""
        return ",".join(self.sources.get(name, name) for name in self.names) or "none"


def select(
    trackers: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    sources: Mapping[str, str] | None = None,
) -> Selection:
    """The trackers that were asked for. Names are not checked here.

    Args:
        trackers: as in `trackhub.start`.
        options: more options by tracker.
        sources: where classes lie that were found before, by tracker.

    Raises:
        ConfigError: the config file cannot be read; or options for a tracker that was not chosen.
    """
    selection, strays = asked(trackers, options, sources)
    if strays:
        raise ConfigError(*strays)
    return selection


def asked(
    trackers: Trackers = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    sources: Mapping[str, str] | None = None,
) -> tuple[Selection, list[str]]:
    """`select`, and what is wrong with it: options for a tracker that was not chosen."""
    from_file = _from_file()
    chosen = trackers if trackers is not None else os.environ.get("TRACKHUB_TRACKERS") or from_file or "csv"
    parts = _parts(chosen)
    strays = [name for name in options or {} if name not in parts]
    wrong = [f"options for tracker {name!r}, which is not among {', '.join(parts) or 'none'}" for name in strays]
    layers = [_by_name(layer) for layer in (from_file, trackers, options)]
    selection = Selection(
        names=tuple(parts),
        options={name: _options(name, layers) for name in parts},
        sources={**{name: where for name, where in (sources or {}).items() if name in parts}, **_sources(parts)},
        objects={name: part for name, part in parts.items() if not isinstance(part, str)},
    )
    return selection, wrong


def disclosed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they were stored, but for those that were redacted: these come from the environment again."""
    return {key: value for key, value in options.items() if REDACTED not in str(value)}


def _parts(trackers: Any) -> dict[str, Any]:
    """What was given, by the name of the tracker: that name, ``file.py:Class``, or an object."""
    if not isinstance(trackers, Iterable):
        trackers = [trackers]
    parts = trackers.split(",") if isinstance(trackers, str) else list(trackers)
    stripped = [part.strip() if isinstance(part, str) else part for part in parts]
    return {_name(part): part for part in stripped if part not in ("", "none")}


def _name(part: Any) -> str:
    """The name of one tracker."""
    if isinstance(part, str):
        return local.tracker_name(part.rpartition(":")[2]) if local.is_source(part) else part
    if isinstance(part, type) or not any(
        callable(getattr(part, hook, None)) for hook in ("log_metrics", "log_metrics_batch")
    ):
        raise ConfigError(f"a tracker is named by a string, or is an object with the hook log_metrics, not {part!r}")
    return local.tracker_name(type(part).__name__)


def _sources(parts: Mapping[str, Any]) -> dict[str, str]:
    found = {
        name: local.resolved(part) for name, part in parts.items() if isinstance(part, str) and local.is_source(part)
    }
    return found | {name: local.OBJECT for name, part in parts.items() if not isinstance(part, str)}


def _by_name(layer: Any) -> Any:
    """A mapping of options with ``file.py:Class`` replaced by the tracker's name."""
    return {_name(key): value for key, value in layer.items()} if isinstance(layer, Mapping) else layer


def _options(name: str, layers: list[Any]) -> dict[str, Any]:
    from_file, chosen, explicit = (_section(layer, name) for layer in layers)
    return {**from_file, **_from_environment(name), **chosen, **explicit}


def _section(layer: Any, name: str) -> dict[str, Any]:
    found = layer.get(name) if isinstance(layer, Mapping) else None
    if not isinstance(found, Mapping | None):
        raise ConfigError(f"the options of tracker {name!r} are a mapping, not {found!r}")
    return {str(key).replace("-", "_"): value for key, value in (found or {}).items()}


def _from_environment(name: str) -> dict[str, str]:
    begins = prefix(name)
    return {key.removeprefix(begins).lower(): value for key, value in os.environ.items() if key.startswith(begins)}


def _from_file() -> Any:
    """The `trackers` part of the file that ``TRACKHUB_CONFIG`` names, in any of the forms of `Trackers`."""
    path = os.environ.get("TRACKHUB_CONFIG")
    if not path:
        return None
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"TRACKHUB_CONFIG={path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"TRACKHUB_CONFIG={path} holds no mapping; it wants `trackers: {{csv: {{}}, ...}}`")
    return content.get("trackers")


def parse_tracker_options(given: Iterable[str]) -> dict[str, dict[str, str]]:
    """Options from the command line, ``["mlflow.tracking_uri=http://..."]``, by tracker.

    Raises:
        ConfigError: parts that do not read TRACKER.OPTION=VALUE; all of them at once.
    """
    parsed: dict[str, dict[str, str]] = {}
    problems = []
    for text in given:
        match = re.fullmatch(r"([^.=]+)\.([^=]+)=(.*)", text, re.DOTALL)
        if match:
            parsed.setdefault(match[1], {})[match[2].replace("-", "_")] = match[3]
        else:
            problems.append(f"--tracker-opt {text!r} does not read TRACKER.OPTION=VALUE, e.g. swanlab.mode=offline")
    if problems:
        raise ConfigError(*problems)
    return parsed


def seconds(variable: str, default: float) -> float:
    """A time from the environment.

    Raises:
        ConfigError: it is no number, or negative.
    """
    given = os.environ.get(variable) or str(default)
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not value >= 0:
        raise ConfigError(f"{variable}={given} is no number of seconds")
    return value


def found(selection: Selection) -> Selection:
    """The selection with a source for each tracker that is not installed, but lies beside the script.

    Raises:
        ConfigError: a tracker is nowhere; all of them at once.
    """
    selection, problems = located(selection)
    if problems:
        raise ConfigError(*problems)
    return selection


def located(selection: Selection) -> tuple[Selection, list[str]]:
    """`found` for those trackers that there are, and what is wrong with the others."""
    from trackhub.claims import plainly_installed

    plainly = plainly_installed() if selection.names else set()
    doubtful = tuple(name for name in selection.names if name not in plainly and name not in selection.sources)
    sources = {**selection.sources, **{name: source for name in doubtful if (source := local.beside(name))}}
    wrong = {name: local.problem(name, source) for name, source in sources.items() if source != local.OBJECT}
    missing = tuple(name for name in doubtful if name not in sources)
    if missing:
        from trackhub.registry import check_names, installed

        known = installed()
        wrong |= {name: "".join(check_names((name,), known)) for name in missing}
    there = tuple(name for name in selection.names if not wrong.get(name))
    return msgspec.structs.replace(selection, names=there, sources=sources), list(filter(None, wrong.values()))


def check_best(best: Mapping[str, str] | None) -> list[str]:
    """What is wrong with the directions that a user states for metrics, in words."""
    wrong = {key: direction for key, direction in (best or {}).items() if direction not in ("min", "max")}
    return [f'best={{{key!r}: {direction!r}}}: the direction is "min" or "max"' for key, direction in wrong.items()]
