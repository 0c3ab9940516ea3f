"""What a model card tells of base, data, command and versions, in words that hold on any machine."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath

from trackhub.secrets import redact_argv

PACKAGES = ("trackhub-ml", "torch", "lightning", "transformers", "peft")
HUB = "hub:"
"""What the place of data from the hub begins with."""


def command() -> str:
    """The command line of this process: no credentials, and of each absolute path the name only."""
    words = redact_argv(["trainer", *sys.argv[1:]])
    return shlex.join(_nameonly(word) for word in words)


def _nameonly(word: str) -> str:
    option, equals, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    is_of_here = PurePath(value).is_absolute() or value.startswith("~/")
    return f"{option}{equals}{PurePath(value).name if is_of_here else value}"


def dataset(file: Path) -> str:
    """The name on the hub of data that come from there; "" for others."""
    return "/".join(PurePath(str(file).removeprefix(HUB)).parts[:2]) if str(file).startswith(HUB) else ""


def place(file: Path) -> str:
    """Where data come from: a file's name, or the place on the hub."""
    return str(file).removeprefix(HUB) if str(file).startswith(HUB) else file.name


def hub_name(base_model: str) -> str:
    """The base model's name on the hub; "" if it did not come from there. The hub takes nothing else as one."""
    local = base_model == "tiny" or base_model.endswith(".gguf") or Path(base_model).expanduser().exists()
    return "" if local else base_model


def base_words(base_model: str) -> str:
    """The base model as a reader may find it."""
    if name := hub_name(base_model):
        return f"[{name}](https://huggingface.co/{name})"
    return "the tiny one that ships with the trainer" if base_model == "tiny" else PurePath(base_model).name


def versions() -> Iterator[str]:
    """The packages that the result depends on."""
    for package in PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
