"""``--save`` and ``--disk-budget`` as the user writes them, and every mistake in them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from trackhub_trainer.policies import At, Best, Every, Improve, Policy, YoungDaly, lower_is_better, smart
from trackhub_trainer.watch import unmeasured

if TYPE_CHECKING:
    from trackhub_trainer.config import Config
    from trackhub_trainer.schedule import Schedule

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
LOSS = "train/loss"
"""What `improve` and `best` look at, unless told otherwise."""


def chosen(config: Config, schedule: Schedule) -> list[Policy]:
    """The policies of a training: those of ``--save``, and ``--save-steps`` as the old name of ``last``."""
    last = [f"last:{schedule.save_steps}"] if schedule.save_steps else []
    texts = dict.fromkeys((*config.save, *last))
    return [_policy(text, schedule.max_steps, _warmup(schedule)) for text in texts]


def budget(config: Config) -> int | None:
    """``--disk-budget`` in bytes."""
    return size(config.disk_budget) if config.disk_budget else None


def problems(config: Config, max_steps: int) -> list[str]:
    """What is wrong with ``--save`` and ``--disk-budget``, a line each."""
    found = []
    for text in config.save:
        try:
            _policy(text, max_steps, _warmup(config))
        except ValueError as error:
            found.append(f"--save {text}: {error}")
    try:
        budget(config)
    except ValueError as error:
        found.append(f"--disk-budget {config.disk_budget}: {error}")
    return found


def too_small(config: Config, one: int) -> str:
    """What is wrong with a budget for checkpoints of `one` byte size; "" if nothing is."""
    given = budget(config)
    if given is None or given >= 3 * one:
        return ""
    return (
        f"--disk-budget {config.disk_budget} is too small: the best checkpoint, the last and the next want "
        f"{3 * one / 1e6:.2f} MB"
    )


def _warmup(settings: Config | Schedule) -> int:
    return getattr(settings, "warmup_steps", None) or 0


def size(text: str) -> int:
    """Bytes, from "10GB" or "500 MB" (decimal).

    Raises:
        ValueError: it is no size.
    """
    return int(_measured(text, BYTES, "a size such as 500MB or 10GB"))


def _policy(text: str, max_steps: int, warmup_steps: int) -> Policy:
    name, _, rest = text.partition(":")
    if name not in MAKERS:
        close = difflib.get_close_matches(name, MAKERS, n=1, cutoff=0.5)
        raise ValueError(
            f"no such policy.{f' Did you mean {close[0]}?' if close else ''} There are {', '.join(MAKERS)}"
        )
    return MAKERS[name](text, rest, max_steps, warmup_steps)


def _last(text: str, rest: str, max_steps: int, _: int) -> Policy:
    count = _count(rest, "last:50, each of the last 50 steps", max_steps)
    return At(text, frozenset(range(max_steps - count + 1, max_steps + 1)))


def _every(text: str, rest: str, max_steps: int, _: int) -> Policy:
    count = _count(rest, "every:25, each 25th step", max_steps)
    return At(text, frozenset(range(count, max_steps + 1, count)))


def _smart(text: str, rest: str, max_steps: int, warmup_steps: int) -> Policy:
    count = _count(rest, "smart:10, at most 10 steps, spread evenly")
    return At(text, smart(count, max_steps, min(warmup_steps, max_steps - 1)))


def _best(text: str, rest: str, _: int, __: int) -> Policy:
    count, metric, sign = _of_metric(rest)
    return Best(text, _count(count, "best:3@val/loss, the 3 best by a metric"), metric, sign)


def _improve(text: str, rest: str, _: int, __: int) -> Policy:
    number, metric, sign = _of_metric(rest)
    try:
        fraction = float(number)
    except ValueError:
        fraction = -1.0
    if not 0 < fraction < 1:
        raise ValueError("wants a fraction above 0 and below 1: improve:0.01, or improve:0.01@val/loss")
    return Improve(text, fraction, metric, sign)


def _time(text: str, rest: str, _: int, __: int) -> Policy:
    return Every(text, _measured(rest, SECONDS, "a time such as time:10m (s, m, h, d)"))


def _young_daly(text: str, rest: str, _: int, __: int) -> Policy:
    wanted = "the mean time between failures, such as young-daly:12h (s, m, h, d)"
    return YoungDaly(text, _measured(rest, SECONDS, wanted))


Maker = Callable[[str, str, int, int], Policy]
MAKERS: dict[str, Maker] = {
    "last": _last,
    "every": _every,
    "smart": _smart,
    "best": _best,
    "improve": _improve,
    "time": _time,
    "young-daly": _young_daly,
}
"""By name: a policy from (its text, what stands behind the colon, max_steps, warmup_steps)."""


def _count(text: str, example: str, most: int | None = None) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"wants a whole number, 1 or more: {example}")
    if most is not None and int(text) > most:
        raise ValueError(f"is more than --max-steps {most}")
    return int(text)


def _of_metric(text: str) -> tuple[str, str, int]:
    """(number, metric, sign) of "3", "3@val/loss", "3@val/accuracy@max"."""
    number, *rest = text.split("@")
    metric = rest[0] if rest else LOSS
    direction = rest[1] if len(rest) > 1 else "min" if lower_is_better(metric) else "max"
    if not metric or len(rest) > 2 or direction not in ("min", "max"):
        raise ValueError("wants a metric behind the @, and min or max behind a second one: best:3@val/accuracy@max")
    if wrong := unmeasured(metric):
        raise ValueError(wrong)
    return number, metric, 1 if direction == "min" else -1


def _measured(text: str, units: dict[str, int], wanted: str) -> float:
    found = re.fullmatch(rf"(\d+(?:\.\d+)?)\s*({'|'.join(units)})", text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError(f"wants {wanted}")
    return float(found[1]) * units[found[2]]
