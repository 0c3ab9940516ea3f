"""What the user wants: command line over configuration file over defaults, with every mistake in them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackhub_trainer import config_file, options
from trackhub_trainer.config import FIELDS, Config
from trackhub_trainer.origin import Origin
from trackhub_trainer.values import parse

FOLLOWS = {
    "save_steps": ("save", "max_steps", "stage1_steps", "stage2_steps"),
    "max_steps": ("stage1_steps", "stage2_steps"),
    "stage1_steps": ("max_steps", "stage2_steps", "schedule"),
    "stage2_steps": ("max_steps", "stage1_steps", "schedule"),
    "lr": ("base_model",),
    "lr2": ("lr", "base_model", "schedule"),
    "batch_size": ("dataset", "source", "data_dir", "train_file"),
    "precision": ("accelerator",),
}
"""A setting that an earlier run chose by itself is chosen again when one of these is given now."""


@dataclass(frozen=True)
class Request:
    """What the user wants done.

    Attributes:
        config: the settings; where one was wrong, its default.
        given: the names of the settings that somebody gave.
        problems: what is wrong, a line each.
        dry_run: check and plan only.
        debug: show tracebacks.
        resume: what to go on from, as the user named it.
        origin: the same, found.
        notes: what the user should know before the training begins.
    """

    config: Config
    given: frozenset[str]
    problems: tuple[str, ...] = ()
    dry_run: bool = False
    debug: bool = False
    resume: str | None = None
    origin: Origin | None = None
    notes: tuple[str, ...] = ()


def read(argv: Sequence[str]) -> Request:
    """The command line and its ``--config`` file as a request; problems are collected, not raised."""
    here, unknown = options.parse(argv)
    path, dry_run, debug = here.pop("config"), here.pop("dry_run"), here.pop("debug")
    resume = here.pop("resume_from_checkpoint")
    below, wrong = config_file.read(Path(path)) if path else ({}, [])
    chosen = frozenset(below.get("chosen") or ())
    below = _without_stale(below, here)
    raw = {f"{name} in {path}": (name, value) for name, value in below.items() if name not in here}
    raw |= {f"--{name.replace('_', '-')}": (name, value) for name, value in here.items()}
    values, problems = parsed(raw)
    given = frozenset(values) - (chosen - frozenset(here))
    problems = [*(unknown_option(word, options.names()) for word in unknown), *wrong, *problems]
    return Request(Config(**values), given, tuple(problems), dry_run, debug, resume)


def _without_stale(below: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, Any]:
    """The file's settings, less those that an earlier run chose to fit others which are given anew."""
    chosen = below.get("chosen") or ()
    stale = {name for name in chosen if any(driver in here for driver in FOLLOWS.get(name, ()))}
    return {name: value for name, value in below.items() if name not in stale | set(config_file.RECORDED)}


def parsed(raw: Mapping[str, tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """(values by setting, problems) of raw values by what the user knows them as."""
    values, problems = {}, []
    for label, (name, value) in raw.items():
        if name not in FIELDS:
            problems.append(f"{label}: no such setting.{_close(name, FIELDS)}")
            continue
        try:
            values[name] = parse(FIELDS[name], value)
        except ValueError as error:
            problems.append(f"{label} {value!s}: {error}")
    return values, problems


def unknown_option(word: str, known: Sequence[str], program: str = "trainer") -> str:
    """What is said about a word that is no option of `known`."""
    if not word.startswith("-"):
        return f"{word}: not understood; an option begins with --. See: {program} --help"
    name = word.partition("=")[0]
    return f"{name}: no such option.{_close(name, known, program)}"


def _close(name: str, known: Iterable[str], program: str = "trainer") -> str:
    found = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Close matches: {', '.join(found)}." if found else f" See: {program} --help"
