"""Whether trackers can work as asked for: their modules, options and SDKs, looked at in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from trackhub import making, registry
from trackhub.delivery.spawn import command, environment
from trackhub.errors import ConfigError
from trackhub.settings import Selection, Trackers, asked, located

TIMEOUT = 60.0
"""Seconds for the imports of all plugin modules."""


def check_trackers(trackers: Trackers, options: Mapping[str, Mapping[str, Any]] | None = None) -> list[str]:
    """Everything that is wrong with the trackers that were asked for, in words; empty if nothing is.

    The plugin modules are loaded in a process of their own, so that this one stays free of them.
    """
    try:
        selection, strays = asked(trackers, options)
    except ConfigError as error:
        return list(error.problems)
    there, problems = located(selection)
    return [*problems, *strays, *ask(there)]


def ask(selection: Selection) -> list[str]:
    """Everything that is wrong with these trackers, in words. Objects are not asked about."""
    names = [name for name in selection.names if name not in selection.objects]
    if not names:
        return []
    question = msgspec.json.encode([[name, selection.options[name], selection.sources.get(name, "")] for name in names])
    try:
        answer = subprocess.run(
            command("trackhub.delivery.verdict"),
            input=question,
            capture_output=True,
            timeout=TIMEOUT,
            env=environment(),
            cwd="/",
            check=True,
        )
        return msgspec.json.decode(answer.stdout, type=list[str])
    except subprocess.TimeoutExpired:
        return [f"the plugins {', '.join(names)} did not import within {TIMEOUT:.0f} s"]
    except (subprocess.CalledProcessError, msgspec.DecodeError) as error:
        detail = getattr(error, "stderr", b"").decode(errors="replace").strip().splitlines()[-1:]
        return [f"the plugins could not be checked: {' '.join(detail) or error}"]


def problems(name: str, options: dict[str, Any], source: str = "") -> list[str]:
    """What is wrong with one tracker; loads its module here."""
    try:
        plugin_class = registry.load(name, source)
        making.hooks(name, plugin_class)
        missing = registry.missing_sdk(name, plugin_class)
        making.make(name, plugin_class, options)
    except ConfigError as error:
        return list(error.problems)
    return [missing] if missing else []


def main() -> None:
    """Answer the question on standard input."""
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, dict[str, Any], str]])
    out = sys.stdout
    sys.stdout = sys.stderr
    found = [problem for asked in question for problem in problems(*asked)]
    out.buffer.write(msgspec.json.encode(found))
