"""The installed trackers: found by entry point, read by name, each loaded in its own try.

Reading the list imports no plugin. Every tracker is found this way, ours as a stranger's.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from traceback import extract_tb

from trackhub import local
from trackhub.claims import GROUP
from trackhub.errors import ConfigError


def installed() -> dict[str, list[EntryPoint]]:
    """The entry points by tracker name; more than one where distributions claim the same name."""
    found: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        if entry not in found.setdefault(entry.name, []):
            found[entry.name].append(entry)
    return dict(sorted(found.items()))


def check_names(names: tuple[str, ...], known: dict[str, list[EntryPoint]] | None = None) -> list[str]:
    """What is wrong with these tracker names, in words; nothing is imported."""
    if not names:
        return []
    known = installed() if known is None else known
    return [problem for name in names if (problem := _name_problem(name, known))]


def _name_problem(name: str, known: dict[str, list[EntryPoint]]) -> str:
    claims = known.get(name, [])
    if len(claims) == 1:
        return ""
    if claims:
        return f"tracker {name!r} is claimed by {claimants(claims)}: pip uninstall one of them"
    return (
        f"no tracker {name!r} is installed.{meant(name, known)} Installed: {', '.join(known) or 'none'}. "
        f"If a package of its own brings it: pip install trackhub-{name}. "
        f"A class of yours: path/to/file.py:Class in place of the name, or a {local.FILE} beside the script"
    )


def claimants(claims: list[EntryPoint]) -> str:
    """The distributions that claim a name."""
    return " and ".join(sorted({entry.dist.name if entry.dist else "an unknown package" for entry in claims}))


def load(name: str, source: str = "") -> type:
    """The plugin class of a tracker.

    Args:
        name: the tracker.
        source: ``file.py:Class`` for one that no distribution brings.

    Raises:
        ConfigError: no such tracker, two of them, or its module does not import.
    """
    known = {} if source else installed()
    if problem := local.problem(name, source) if source else _name_problem(name, known):
        raise ConfigError(problem)
    try:
        loaded: type = local.load(source) if source else known[name][0].load()
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {error}{_place(error)}"
        raise ConfigError(f"tracker {name!r} does not import: {told}") from error
    return loaded


def _place(error: BaseException) -> str:
    """Where in the plugin's own code an import failed, in words; "" if it did not get as far."""
    frames = [frame for frame in extract_tb(error.__traceback__)[1:] if "importlib" not in frame.filename]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def missing_sdk(name: str, plugin_class: type) -> str:
    """Why the SDK of a tracker cannot be imported, with the command that mends it; "" if it can."""
    needs = getattr(plugin_class, "needs", "")
    if not needs or _is_importable(needs):
        return ""
    extra = getattr(plugin_class, "extra", "") or name
    return f"tracker {name!r} needs the package {needs}: pip install 'trackhub-ml[{extra}]'"


def _is_importable(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def meant(name: str, known: Iterable[str]) -> str:
    """A question after the one of `known` that `name` may be a misspelling of; "" if none is close."""
    from difflib import get_close_matches

    close = get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
