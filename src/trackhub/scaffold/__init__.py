"""The plugin project that `trackhub new-plugin` writes: pyproject, one module, its conformance test, a README."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from trackhub.errors import ConfigError

_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def write(name: str, folder: Path) -> Path:
    """Write the project of tracker `name` into `folder`, which is made, and return it.

    Raises:
        ConfigError: the name is no name of a tracker or is taken, or something lies at `folder`; nothing is written.
    """
    if problems := [*_about_name(name), *_about_folder(folder)]:
        raise ConfigError(*problems)
    names = _names(name)
    for path, content in _files(names).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(content)
    return folder


def _files(names: dict[str, str]) -> dict[str, str]:
    """What the project consists of, by path."""
    found = {}
    for path in sorted(_HERE.rglob("*.txt")):
        where = path.relative_to(_HERE).as_posix().removesuffix(".txt")
        where = where.replace("test_module.py", f"test_{names['short']}.py").replace(
            "module.py", f"{names['module']}.py"
        )
        found[where] = Template(path.read_text(encoding="utf-8")).substitute(names)
    return found


def _names(name: str) -> dict[str, str]:
    """What things are called in the project of tracker `name`."""
    words = re.split("[-_]", name)
    stem = "".join(word.capitalize() for word in words)
    short = "_".join(words)
    return {
        "name": name,
        "short": short,
        "module": f"trackhub_{short}",
        "class_name": f"{stem}Tracker",
        "options_name": f"{stem}Options",
        "variable": f"TRACKHUB_{short.upper()}_FILE",
    }


def _about_name(name: str) -> list[str]:
    from trackhub.registry import claimants, installed

    if not _NAME.fullmatch(name):
        return [f"{name!r} is no name for a tracker: small letters and digits, words joined by -, e.g. in-house"]
    if claims := installed().get(name):
        return [f"the tracker {name!r} exists: {claimants(claims)} brings it"]
    return []


def _about_folder(folder: Path) -> list[str]:
    if folder.exists():
        return [f"{folder} exists: give another folder with --folder"]
    return []
