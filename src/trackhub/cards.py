"""The card of a tracker: what `trackhub trackers` tells of it, or why it does not work."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from trackhub.errors import ConfigError
from trackhub.making import hooks
from trackhub.plugin import Limits, Uploads
from trackhub.registry import claimants, installed, load, missing_sdk


class Description(msgspec.Struct):
    """What `trackhub trackers` tells of one tracker."""

    name: str
    distribution: str = ""
    version: str = ""
    hooks: tuple[str, ...] = ()
    ready: bool = False
    reason: str = ""
    """Why it is not ready, with the command that mends it."""
    card: str = ""
    facts: dict[str, str] = {}
    """The rules and limits, in words."""
    options: tuple[dict[str, Any], ...] = ()
    """name, type, default, description and secret of each option."""


def describe(name: str) -> Description:
    """What is to be known of one installed tracker; whatever is wrong with it is its `reason`."""
    claims = installed().get(name, [])
    found = Description(name, claimants(claims), claims[0].dist.version if claims and claims[0].dist else "")
    try:
        described = describe_class(name, load(name))
    except ConfigError as error:
        described = Description(name, reason=str(error))
    return msgspec.structs.replace(described, distribution=found.distribution, version=found.version)


def describe_class(name: str, plugin_class: type) -> Description:
    """What is to be known of a plugin class; whatever is wrong with it is its `reason`."""
    found = Description(name)
    try:
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


def _facts(plugin_class: type) -> dict[str, str]:
    limits: Limits = getattr(plugin_class, "limits", None) or Limits()
    rule = getattr(plugin_class, "idempotence", "")
    return {
        "after a crash": f"each point exactly once ({rule})" if rule else "may repeat after a crash",
        "after a rewind": _REWINDS[getattr(plugin_class, "rewinds", "") or "append"],
        "a step that repeats": _REPEATS[getattr(plugin_class, "repeats", "") or "keep"],
        "steps": _about_steps(limits.steps),
        "times": f"to {limits.time_step:g} s" if limits.time_step else "exact",
        "numbers": "64-bit floats" if limits.float_bits == 64 else f"{limits.float_bits}-bit floats",
        "NaN": "kept" if limits.nan else "left out and told",
        "infinities": "kept" if limits.infinite else "left out and told",
        "-0.0": "kept" if limits.signed_zero else "becomes 0.0",
        "integers beyond 2**53": "kept" if limits.big_ints else "as the nearest float",
        "keys": f"up to {limits.key_length} characters" if limits.key_length else "of any length",
        "parameters": _about_params(limits) if _has(plugin_class, "log_params") else "not taken",
        "media": ", ".join(sorted(limits.media)) or "none",
        "checkpoints and artifacts": _about_files(plugin_class),
    }


_REWINDS = {"replace": "later rows are replaced", "append": "later rows stand behind the earlier ones"}
_REPEATS = {"keep": "both rows are kept", "first": "the first row is kept", "last": "the last row is kept"}


def _has(plugin_class: type, hook: str) -> bool:
    return callable(getattr(plugin_class, hook, None))


def _about_steps(steps: tuple[int, int] | None) -> str:
    if steps is None:
        return "any integer"
    told = "64-bit integers" if steps == (-(2**63), 2**63 - 1) else f"{steps[0]} to {steps[1]}"
    return f"{told}; rows at others are set aside"


def _about_params(limits: Limits) -> str:
    if not limits.flat_params:
        return "as they are, nested"
    return f"flat texts, up to {limits.param_length} characters" if limits.param_length else "flat texts"


def _about_files(plugin_class: type) -> str:
    if not _has(plugin_class, "save_checkpoint") and not _has(plugin_class, "log_artifact"):
        return "not taken"
    has_policy = issubclass(getattr(plugin_class, "Options", object), Uploads)
    return "as the option `upload` says" if has_policy else "all"


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
        "type": _type_name(kind),
        "default": default,
        "description": (meta.description if meta else None) or "",
        "secret": bool(meta and (meta.extra or {}).get("secret")),
    }


def _type_name(kind: Any) -> str:
    """A type for people: str, int, or the words to choose from."""
    if get_origin(kind) is Literal:
        return " | ".join(map(str, get_args(kind)))
    if isinstance(kind, type):
        return kind.__name__
    return str(kind).replace("typing.", "").removesuffix(" | None")
