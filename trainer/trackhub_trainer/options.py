"""The command line: one option per setting, dashes or underscores."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import Field
from typing import Any, NoReturn

from trackhub_trainer.config import FIELDS, GROUPS


class Parser(argparse.ArgumentParser):
    """Says what is wrong in a line, without a page of usage before it."""

    def error(self, message: str) -> NoReturn:
        """An option without its value: argparse stops there."""
        self.exit(2, f"{self.prog}: {message}. See: {self.prog} --help\n")


def parser() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="trainer",
        description="Fine-tune a language model on multiple-choice questions with LoRA; every step goes to trackers.",
        epilog="Without options: a tiny model on a sample data set, offline, in seconds. `trainer eval` measures.",
        allow_abbrev=False,
    )
    whole.add_argument("--config", metavar="FILE", help="YAML with settings, or the config.yaml of an earlier run")
    whole.add_argument(
        "--resume-from-checkpoint",
        metavar="PATH|auto",
        help="go on with a run: a checkpoint, a run's folder or name, or auto: the newest run of this data set",
    )
    whole.add_argument("--dry-run", action="store_true", help="check everything, show the plan, train nothing")
    whole.add_argument("--debug", action="store_true", help="show tracebacks")
    for title, names in GROUPS.items():
        group = whole.add_argument_group(title)
        for name in names:
            add(group, FIELDS[name])
    return whole


def parse(argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """(what was given by name, words that were not understood)."""
    arguments, unknown = parser().parse_known_args([dashed(word) for word in argv])
    return vars(arguments), unknown


def names() -> list[str]:
    """All options, as they are written."""
    return [option for action in parser()._actions for option in action.option_strings]


def add(group: argparse._ArgumentGroup, entry: Field[Any]) -> None:
    """The option of a setting; one that is not given leaves no trace."""
    flags = [f"--{entry.name.replace('_', '-')}", *(["--bs"] if entry.name == "batch_size" else [])]
    default = "" if entry.default in (None, ()) else f" (default: {_shown(entry.default)})"
    shared = {"dest": entry.name, "default": argparse.SUPPRESS, "help": entry.metadata["help"] + default}
    if entry.type == "bool":
        group.add_argument(*flags, action=argparse.BooleanOptionalAction, **shared)
    else:
        action = "append" if entry.type == "object" else "store"
        group.add_argument(*flags, action=action, metavar=_metavar(entry), **shared)


def _metavar(entry: Field[Any]) -> str:
    choices = entry.metadata.get("choices")
    return "{" + ",".join(choices) + "}" if choices else str(entry.metadata.get("metavar", entry.name.upper()))


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple):
        return ",".join(default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def dashed(word: str) -> str:
    """``--max_steps=3`` as ``--max-steps=3``; values stay as they are."""
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value if word.startswith("--") else word
