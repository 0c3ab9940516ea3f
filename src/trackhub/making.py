"""A tracker from its plugin class: options checked and converted, hooks checked against the specification."""

from __future__ import annotations

from difflib import get_close_matches
from inspect import signature
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from trackhub.delivery.facade import HOOKS, Tracker
from trackhub.errors import ConfigError
from trackhub.plugin import Options, Uploads
from trackhub.registry import meant
from trackhub.secrets import hide, is_secret_name


def make(name: str, plugin_class: type, given: dict[str, Any]) -> object:
    """An instance of the plugin class, with its options checked and converted.

    From then on, this process hides the credentials among them wherever they occur.

    Raises:
        ConfigError: an option that does not exist, or of the wrong type; all of them at once.
    """
    hide(given)
    options_class: type[Options] | None = getattr(plugin_class, "Options", None)
    if options_class is None and not given:
        return plugin_class()
    fields = {} if options_class is None else {field.name: field for field in msgspec.structs.fields(options_class)}
    problems = [_unknown_option(name, key, fields) for key in given if key not in fields]
    problems += [problem for key in given if key in fields and (problem := _wrong(name, key, given, fields[key].type))]
    if problems:
        raise ConfigError(*problems)
    try:
        options = msgspec.convert(given, options_class, strict=False)
        plugin = plugin_class(options)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"tracker {name!r}: {error}. Its options: trackhub trackers {name}") from error
    if isinstance(options, Uploads):
        plugin.upload = options.upload
    return plugin


def _unknown_option(name: str, key: str, fields: dict[str, Any]) -> str:
    known = ", ".join(fields) or "none"
    return f"tracker {name!r} has no option {key!r}.{meant(key, fields)} It has: {known} (trackhub trackers {name})"


def _wrong(name: str, key: str, given: dict[str, Any], kind: Any) -> str:
    try:
        msgspec.convert(given[key], kind, strict=False)
    except msgspec.ValidationError as error:
        return f"tracker {name!r}, option {key!r}: {error}{_choices(kind)} (trackhub trackers {name})"
    return ""


def _choices(kind: Any) -> str:
    """The words that an option can be, if it is one of a few."""
    kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return f"; one of {', '.join(map(str, get_args(kind)))}" if get_origin(kind) is Literal else ""


def hooks(name: str, plugin_class: type) -> tuple[str, ...]:
    """The hooks of a plugin.

    Raises:
        ConfigError: one that does not exist, has unknown or defaulted arguments, or lacks its `@hookimpl`.
    """
    tracker = Tracker(name, plugin_class)
    bare = [hook for hook in HOOKS if callable(getattr(plugin_class, hook, None)) and not tracker.has(hook)]
    if bare:
        raise ConfigError(f"tracker {name!r}: {', '.join(bare)} lacks @hookimpl and would never be called")
    if close := _misspelt(plugin_class, tracker):
        raise ConfigError(f"tracker {name!r}: {close[0]} looks like the hook {close[1]}, and would never be called")
    if unsaid := [option for option in secret_options(plugin_class) if not is_secret_name(option)]:
        raise ConfigError(
            f"tracker {name!r}: the option {', '.join(unsaid)} is secret, and its name does not say so: "
            "nothing keeps it off the disk before this class is loaded. Give it a name such as api_key or password"
        )
    if not tracker.hooks:
        raise ConfigError(f"tracker {name!r}: {plugin_class.__name__} has no hook, e.g. a log_metrics with @hookimpl")
    for hook in tracker.hooks:
        if never := _never_passed(getattr(plugin_class, hook)):
            raise ConfigError(f"tracker {name!r}: {hook} never gets {never}: it wants arguments without defaults")
    return tracker.hooks


def secret_options(plugin_class: type) -> list[str]:
    """The options that the class marks as secret."""
    options_class = getattr(plugin_class, "Options", None)
    fields = msgspec.structs.fields(options_class) if options_class is not None else ()
    return [field.name for field in fields if _is_secret(field.type)]


def _is_secret(kind: Any) -> bool:
    metas = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, msgspec.Meta)]
    return any((meta.extra or {}).get("secret") for meta in metas)


def _misspelt(plugin_class: type, tracker: Tracker) -> tuple[str, str] | None:
    """(method, hook) of a plain method that is nearly called as a hook that the class lacks."""
    for method in (name for name, member in vars(plugin_class).items() if callable(member) and name not in HOOKS):
        close = get_close_matches(method, [hook for hook in HOOKS if not tracker.has(hook)], n=1, cutoff=0.9)
        if close:
            return method, close[0]
    return None


def _never_passed(function: Any) -> str:
    """The arguments that pluggy leaves out."""
    parameters = signature(function).parameters.values()
    left_out = (one for one in parameters if one.default is not one.empty or one.kind is one.KEYWORD_ONLY)
    return ", ".join(one.name for one in left_out)
