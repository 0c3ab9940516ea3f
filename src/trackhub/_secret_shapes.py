"""Credentials that give themselves away by their shape, whatever name they stand under.

Every pattern runs in linear time: it starts with a literal, and what it repeats either cannot fail afterwards or
stops at a character with which no other match could start. A pattern is compiled when its hint first turns up.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable
from functools import cache

from trackhub._secret_names import REDACTED

_EDGE = r"(?<![A-Za-z0-9])"
_PEM = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_SIGNATURES = r"(?:sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token))"
_HOOKS = r"hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks|open-apis/bot/v2/hook"

_SHAPES: tuple[tuple[str, str], ...] = (
    ("PRIVATE KEY", rf"(?s)-----BEGIN {_PEM}.*?(?:-----END {_PEM}|\Z)"),
    (":/", r"(:/{1,2}[^\s/:@?#\"'<>]*:)(?!\d{1,5}(?:[/?#,;]|$))[^\s/\"'<>`]+(?=@(?!sha256:))"),
    ("://", r"(://)[A-Za-z0-9_-]{20,}+(?=@)"),
    ("=", rf"(?i)([?&]{_SIGNATURES}=)[^\s&\"'<>#]+"),
    ("/", rf"((?:{_HOOKS})/)[\w/-]{{8,}}"),
    ("login(", r"(login\((?:[^()\n]{0,200}?\bkey=)?[\"'])[^\"'\n]{16,}"),
    (" login ", r"((?:wandb|swanlab) login (?:--?[\w-]{1,30} ){0,3})[A-Za-z0-9]{16,}"),
    ("webhook/send", r"(webhook/send\?key=)[\w-]{8,}"),
    ("eyJ", r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{4,}+\.[\w-]*"),
    ("hf_", _EDGE + r"hf_[A-Za-z0-9]{20,}"),
    ("api_org_", _EDGE + r"api_org_[A-Za-z0-9]{20,}"),
    ("gh", _EDGE + r"gh[pousr]_[A-Za-z0-9]{20,}"),
    ("github_pat_", _EDGE + r"github_pat_\w{20,}"),
    ("gl", _EDGE + r"gl(?:pat|ptt|dt|rt|cbt|soat|ft|agent|oas)-[\w-]{16,}"),
    ("A", _EDGE + r"A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    ("AIza", _EDGE + r"AIza[\w-]{35,}"),
    ("ya29.", _EDGE + r"ya29\.[\w-]{20,}"),
    ("GOCSPX-", _EDGE + r"GOCSPX-[\w-]{20,}"),
    ("xox", _EDGE + r"xox[abceoprs]-[\w-]{10,}"),
    ("xapp-", _EDGE + r"xapp-[\w-]{20,}"),
    ("k_", _EDGE + r"[rs]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    ("whsec_", _EDGE + r"whsec_[A-Za-z0-9+/]{20,}"),
    ("wandb_v", _EDGE + r"wandb_v\d_[\w-]{20,}"),
    ("local-", _EDGE + r"local-[0-9a-f]{40}(?![\w-])"),
    ("npm_", _EDGE + r"npm_[A-Za-z0-9]{30,}"),
    ("pypi-AgE", _EDGE + r"pypi-AgE[\w-]{16,}"),
    ("SG.", _EDGE + r"SG\.[\w-]{16,}+\.[\w-]{16,}"),
    ("dapi", _EDGE + r"dapi[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("_", _EDGE + r"(?:gsk_|r8_|dckr_pat_|lin_api_|dop_v1_)[\w-]{20,}"),
    ("-", _EDGE + r"(?:nvapi|pplx|xai)-[A-Za-z0-9_-]{32,}"),
    ("hvs.", _EDGE + r"hvs\.[\w-]{20,}"),
    (":AA", _EDGE + r"\d{8,10}:AA[\w-]{32,}"),
)
"""A hint that must occur, and the pattern. A group 1 is what stays in front of the credential."""

_OPENAI_LIKE = r"(?<![\w-])sk-[\w-]{16,}"
_BASIC = r"(?i)\b(basic\s{1,8})[A-Za-z0-9+/]{8,}+={0,2}"
_BEARER = r"(?i)\b(bearer\s{1,8})[\w.~+/=-]{8,}"
_AWS_KEY_ID = r"A(?:KIA|SIA)[A-Z0-9]{16}"
_BESIDE_AWS_KEY_ID = r"(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def hide_shapes(text: str) -> str:
    """`text` with every credential of a known shape replaced."""
    if holds_aws_id(text):
        text = hide_aws_secrets(text)
    lowered = text.lower()
    for word, pattern, is_secret in _CHECKED:
        if word in lowered:
            text = _replace(pattern, text, is_secret)
    for hint, pattern in _SHAPES:
        if hint in text:
            text = _replace(pattern, text)
    return text


def begins_key(line: str) -> bool:
    """Whether a private key begins in `line`."""
    return "PRIVATE KEY" in line and _compiled(rf"-----BEGIN {_PEM}").search(line) is not None


def ends_key(line: str) -> bool:
    """Whether a private key ends in `line`."""
    return "PRIVATE KEY" in line and _compiled(rf"-----END {_PEM}").search(line) is not None


def is_of_key(line: str) -> bool:
    """Whether `line` can be one from the middle of a private key: base64, or a header such as `Proc-Type: 4`."""
    return _compiled(r"[^A-Za-z0-9+/=]*[A-Za-z0-9+/=]*\W*|[A-Za-z-]{1,40}: [\w,-]*").fullmatch(line) is not None


def holds_aws_id(text: str) -> bool:
    """Whether an AWS access key id stands in `text`: its secret is then not far."""
    return ("AKIA" in text or "ASIA" in text) and _compiled(_AWS_KEY_ID).search(text) is not None


def hide_aws_secrets(text: str) -> str:
    """`text` without what could be an AWS secret access key: 40 characters, no hash."""
    return _replace(_BESIDE_AWS_KEY_ID, text, _is_mixed)


def _replace(pattern: str, text: str, is_secret: Callable[[str], bool] | None = None) -> str:
    def hidden(match: re.Match[str]) -> str:
        kept = match[1] if match.re.groups else ""
        return kept + REDACTED if is_secret is None or is_secret(match[0][len(kept) :]) else match[0]

    return _compiled(pattern).sub(hidden, text)


def _is_mixed(found: str) -> bool:
    return any(map(str.isupper, found)) and any(map(str.islower, found)) and any(map(str.isdigit, found))


def _is_no_phrase(found: str) -> bool:
    """Random characters rather than words with hyphens, as in `sk-learn-pipeline-for-text`."""
    return any(map(str.isdigit, found)) or max(map(len, found.split("-"))) >= 20


def _is_user_and_password(found: str) -> bool:
    try:
        return b":" in binascii.a2b_base64(found, strict_mode=True)
    except ValueError:
        return False


_CHECKED: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("sk-", _OPENAI_LIKE, _is_no_phrase),
    ("basic", _BASIC, _is_user_and_password),
    ("bearer", _BEARER, _is_no_phrase),
)
"""A word that must occur in lower case, the pattern, and what its finding must satisfy."""
