"""The card of a tracker: what `trackhub trackers` tells of it, or why it does not work."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

import msgspec

from trackhub.errors import ConfigError
from trackhub.making import hooks
from trackhub.plugin import Limits
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
        "after a rewind": str(getattr(plugin_class, "rewinds", "") or "append"),
        "key length": str(limits.key_length or "any"),
        "NaN": "kept" if limits.nan else "left out and told",
        "infinities": "kept" if limits.infinite else "left out and told",
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
