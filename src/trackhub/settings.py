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

from trackhub.errors import ConfigError
from trackhub.secrets import REDACTED

Trackers = str | Iterable[str] | Mapping[str, Mapping[str, Any]] | None
"""How a user names trackers: "swanlab,csv", ["swanlab", "csv"], or {"mlflow": {"tracking_uri": ...}}."""


class Selection(msgspec.Struct, frozen=True):
    """The trackers of a run, and the options of each."""

    names: tuple[str, ...]
    options: dict[str, dict[str, Any]]


def select(trackers: Trackers = None, options: Mapping[str, Mapping[str, Any]] | None = None) -> Selection:
    """The trackers that were asked for. Names are not checked here.

    Raises:
        ConfigError: the config file cannot be read; or options for a tracker that was not chosen.
    """
    from_file = _from_file()
    chosen = trackers if trackers is not None else os.environ.get("TRACKHUB_TRACKERS") or from_file or "csv"
    names = _names(chosen)
    strays = [name for name in options or {} if name not in names]
    if strays:
        raise ConfigError(*(f"options for tracker {name!r}, which is not among {', '.join(names)}" for name in strays))
    return Selection(names, {name: _options(name, [from_file, trackers, options]) for name in names})


def disclosed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they were stored, but for those that were redacted: these come from the environment again."""
    return {key: value for key, value in options.items() if REDACTED not in str(value)}


def _names(trackers: Any) -> tuple[str, ...]:
    if not isinstance(trackers, Iterable):
        raise ConfigError(f"trackers are names, as in 'swanlab,csv', not {trackers!r}")
    parts = trackers.split(",") if isinstance(trackers, str) else list(trackers)
    strangers = [part for part in parts if not isinstance(part, str)]
    if strangers:
        raise ConfigError(f"a tracker is named by a string, not by {strangers[0]!r}")
    names = [part.strip() for part in parts]
    return tuple(dict.fromkeys(name for name in names if name and name != "none"))


def _options(name: str, layers: list[Any]) -> dict[str, Any]:
    from_file, chosen, explicit = (_section(layer, name) for layer in layers)
    return {**from_file, **_from_environment(name), **chosen, **explicit}


def _section(layer: Any, name: str) -> dict[str, Any]:
    found = layer.get(name) if isinstance(layer, Mapping) else None
    if not isinstance(found, Mapping | None):
        raise ConfigError(f"the options of tracker {name!r} are a mapping, not {found!r}")
    return {str(key).replace("-", "_"): value for key, value in (found or {}).items()}


def _from_environment(name: str) -> dict[str, str]:
    prefix = f"TRACKHUB_{re.sub(r'[^A-Za-z0-9]', '_', name).upper()}_"
    return {key.removeprefix(prefix).lower(): value for key, value in os.environ.items() if key.startswith(prefix)}


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


def check_trackers(trackers: Trackers, options: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """Everything that is wrong with the trackers that were asked for, in words; empty if nothing is.

    The plugin modules are loaded in a process of their own, so that this one stays free of them.
    """
    from trackhub.registry import check_names

    try:
        selection = select(trackers, options)
    except ConfigError as error:
        return list(error.problems)
    problems = check_names(selection.names)
    from trackhub.delivery.verdict import ask

    return problems or ask(selection.names, selection.options)
