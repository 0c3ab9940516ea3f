"""The installed trackers: found by entry point, read by name, each loaded in its own try.

Reading the list imports no plugin. Every tracker is found this way, ours as a stranger's.
"""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import signature
from typing import Annotated, Any, get_args, get_origin

import msgspec

from trackhub.errors import ConfigError
from trackhub.plugin import Limits, Options

GROUP = "trackhub.trackers"


class Description(msgspec.Struct):
    """What `trackhub trackers` tells of one tracker."""

    name: str
    distribution: str
    version: str
    hooks: tuple[str, ...] = ()
    ready: bool = False
    reason: str = ""
    """Why it is not ready, with the command that mends it."""
    card: str = ""
    facts: dict[str, str] = {}
    """The rules and limits, in words."""
    options: tuple[dict[str, Any], ...] = ()
    """name, type, default, description and secret of each option."""


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
        return f"tracker {name!r} is claimed by {_claimants(claims)}: pip uninstall one of them"
    close = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"no tracker {name!r} is installed.{meant} Installed: {', '.join(known) or 'none'}. "
        f"If a package of its own brings it: pip install trackhub-{name}"
    )


def _claimants(claims: list[EntryPoint]) -> str:
    return " and ".join(sorted({entry.dist.name if entry.dist else "an unknown package" for entry in claims}))


def load(name: str) -> type:
    """The plugin class of a tracker.

    Raises:
        ConfigError: no such tracker, two of them, or its module does not import.
    """
    known = installed()
    if problem := _name_problem(name, known):
        raise ConfigError(problem)
    try:
        loaded: type = known[name][0].load()
    except (Exception, SystemExit) as error:
        raise ConfigError(f"tracker {name!r} does not import: {type(error).__name__}: {error}") from error
    return loaded


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


def make(name: str, plugin_class: type, given: dict[str, Any]) -> object:
    """An instance of the plugin class, with its options checked and converted.

    Raises:
        ConfigError: an option that does not exist, or of the wrong type; all of them at once.
    """
    options_class: type[Options] | None = getattr(plugin_class, "Options", None)
    if options_class is None and not given:
        return plugin_class()
    fields = {} if options_class is None else {field.name: field for field in msgspec.structs.fields(options_class)}
    problems = [_unknown_option(name, key, fields) for key in given if key not in fields]
    problems += [problem for key in given if key in fields and (problem := _wrong(name, key, given, fields[key].type))]
    if problems:
        raise ConfigError(*problems)
    try:
        return plugin_class(msgspec.convert(given, options_class, strict=False))
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"tracker {name!r}: {error}. Its options: trackhub trackers {name}") from error


def _unknown_option(name: str, key: str, fields: dict[str, Any]) -> str:
    close = difflib.get_close_matches(key, fields, n=1)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(fields) or "none"
    return f"tracker {name!r} has no option {key!r}.{meant} It has: {known} (trackhub trackers {name})"


def _wrong(name: str, key: str, given: dict[str, Any], kind: Any) -> str:
    try:
        msgspec.convert(given[key], kind, strict=False)
    except msgspec.ValidationError as error:
        return f"tracker {name!r}, option {key!r}: {error} (trackhub trackers {name})"
    return ""


def describe(name: str) -> Description:
    """What is to be known of one installed tracker; whatever is wrong with it is its `reason`."""
    claims = installed().get(name, [])
    found = Description(name, _claimants(claims), claims[0].dist.version if claims and claims[0].dist else "")
    try:
        plugin_class = load(name)
        found.hooks = hooks(name, plugin_class)
        found.card = " ".join(str(getattr(plugin_class, "card", "")).split())
        found.facts = _facts(plugin_class)
        found.options = tuple(_options(plugin_class))
        found.reason = missing_sdk(name, plugin_class)
    except ConfigError as error:
        found.reason = str(error)
    except Exception as error:  # noqa: BLE001 - one stranger's class must not hide the other trackers
        found.reason = f"tracker {name!r} is not as a tracker has to be: {type(error).__name__}: {error}"
    found.ready = not found.reason
    return found


def hooks(name: str, plugin_class: type) -> tuple[str, ...]:
    """The hooks of a plugin.

    Raises:
        ConfigError: one that does not exist, has unknown or defaulted arguments, or lacks its `@hookimpl`.
    """
    from trackhub.delivery.facade import HOOKS, Tracker

    tracker = Tracker(name, plugin_class)
    bare = [hook for hook in HOOKS if callable(getattr(plugin_class, hook, None)) and not tracker.has(hook)]
    if bare:
        raise ConfigError(f"tracker {name!r}: {', '.join(bare)} lacks @hookimpl and would never be called")
    for hook in tracker.hooks:
        if never := _never_passed(getattr(plugin_class, hook)):
            raise ConfigError(f"tracker {name!r}: {hook} never gets {never}: it wants arguments without defaults")
    return tracker.hooks


def _never_passed(function: Any) -> str:
    """The arguments that pluggy leaves out."""
    parameters = signature(function).parameters.values()
    left_out = (one for one in parameters if one.default is not one.empty or one.kind is one.KEYWORD_ONLY)
    return ", ".join(one.name for one in left_out)


def _facts(plugin_class: type) -> dict[str, str]:
    limits: Limits = getattr(plugin_class, "limits", None) or Limits()
    rule = getattr(plugin_class, "idempotence", "")
    return {
        "after a crash": f"each point exactly once ({rule})" if rule else "may repeat after a crash",
        "after a rewind": str(getattr(plugin_class, "rewinds", "") or "append"),
        "key length": str(limits.key_length or "any"),
        "NaN and infinities": "kept" if limits.nonfinite else "left out and told",
        "integers beyond 2**53": "kept" if limits.big_ints else "as the nearest float",
        "media": ", ".join(sorted(limits.media)) or "none",
    }


def _options(plugin_class: type) -> list[dict[str, Any]]:
    options_class = getattr(plugin_class, "Options", None)
    return [] if options_class is None else [_option(field) for field in msgspec.structs.fields(options_class)]


def _option(field: Any) -> dict[str, Any]:
    kind, meta = field.type, None
    if get_origin(kind) is Annotated:
        kind, meta = get_args(kind)[0], next((one for one in get_args(kind)[1:] if isinstance(one, msgspec.Meta)), None)
    default = None if field.default is msgspec.NODEFAULT else field.default
    return {
        "name": field.name,
        "type": getattr(kind, "__name__", None) if isinstance(kind, type) else str(kind).replace("typing.", ""),
        "default": default,
        "description": (meta.description if meta else None) or "",
        "secret": bool(meta and (meta.extra or {}).get("secret")),
    }
