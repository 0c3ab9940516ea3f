"""Credentials in running text: `--api-key VALUE`, `password: "..."`, `Password=...;`, `login x password y`."""

from __future__ import annotations

import re
from functools import cache

from trackhub._secret_known import hide_known
from trackhub._secret_names import NONE, REDACTED, hides, strength
from trackhub._secret_shapes import hide_shapes

_MOST_PASSES = 10
_JUDGED = 1000
"""Characters of a value that are looked at to judge it; it is hidden whole."""

_NAME = r"(?P<name>(?:(?i:api|access|secret|private|account|auth|signing) )?[\w.-]{1,200}+)"
_ASSIGNMENT = rf"(?<![\w.-]){_NAME}\\{{0,3}}[\"'`]?\]?[ \t]{{0,8}}(?:=>|:=|==?|[:\uff1a])[ \t]{{0,8}}"
_OPTION = r"(?<![\w.-])--(?P<name>[\w.-]{1,200}+)[\"']?,?[ \t]{1,8}(?!-)"
_NETRC_LOGIN = r"\s{1,80}+\S{1,200}+\s{1,80}+"
_NETRC = rf"(?i)\b(?:machine|login){_NETRC_LOGIN}(?:login{_NETRC_LOGIN})?(?P<name>password)\s{{1,80}}+"

_OPENING = r"(?:[A-Za-z_][\w.]{0,60}\(|[bBrRuUfF]{1,2})?(?P<escape>\\{0,3})(?P<quote>\"{3}|'{3}|[\"'`])"
_IN_QUOTES = r"[^{quote}\\\n]*+(?:\\.[^{quote}\\\n]*+)*+"
_IN_ESCAPED_QUOTES = r"(?:[^{quote}\\\n]|\\(?!\\{{0,2}}{quote}))*+"
_BARE = (
    r"\{[^{}\"':\n]{1,200}\}|(?:[^\s\"'`;&,)}\]<>]++"
    r"|[,&](?![\w.-]{1,100}[=:])(?=[^\s,;&)}\]\"'`])"
    r"|[\"'`)}\]](?=[^\s,;&)}\]\"'`:>/]))++"
)
_ELSEWHERE = r"\[redacted\]|os\.environ|os\.getenv|\$\{[\w.:]{1,200}\}"
"""A value that is gone already, or is looked up when it is needed."""
_REST_OF_LINE = r"(?:[^\"'`\r\n]|(?<=[=:])[\"'`][^\"'`\r\n]*+[\"'`]?)*+"
"""Up to a quote that closes what surrounds it; one behind `=` or `:` opens a value of its own."""

_HINTS = r"(?i)pass|pwd|secret|token|key|auth|cred|cookie|bearer|pat\b|密码|口令|密钥|令牌"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def redact_text(text: str) -> str:
    """`text` with each credential in it replaced by "[redacted]"; the rest stays as it is. Linear in its length."""
    for _ in range(_MOST_PASSES):
        redacted = _redact_once(text)
        if redacted == text:
            return text
        text = redacted
    return text


def _redact_once(text: str) -> str:
    text = hide_shapes(hide_known(text))
    if _compiled(_HINTS).search(text) is None:
        return text
    for hint, pattern in (("", _ASSIGNMENT), ("--", _OPTION), ("assword", _NETRC)):
        if hint in text:
            text = _hide_values(_compiled(pattern), text)
    return text


def _hide_values(pattern: re.Pattern[str], text: str) -> str:
    pieces, done, run_end = [], 0, 0
    for match in pattern.finditer(text):
        name, at = match["name"], match.end()
        if match.start() < done or strength(name) == NONE:
            continue
        start, end = _value(name, text, at, run_end)
        run_end = max(run_end, end) if start == at else run_end
        if end > start and hides(name, text[start : min(end, start + _JUDGED)]):
            pieces += [text[done:start], REDACTED]
            done = end
    return "".join([*pieces, text[done:]])


def _value(name: str, text: str, at: int, run_end: int) -> tuple[int, int]:
    """Where the value that begins at `at` stands, without its quotes.

    A bare value inside an earlier one ends with it, at `run_end`: looking again would cost the square of its length.
    """
    if _compiled(_ELSEWHERE).match(text, at):
        return at, at
    opening = _compiled(_OPENING).match(text, at)
    if opening is None:
        return at, run_end if at < run_end else _end(_bare_value(name), text, at)
    body = _IN_ESCAPED_QUOTES if opening["escape"] else _IN_QUOTES
    return opening.end(), _end(body.format(quote=opening["quote"][0]), text, opening.end())


def _bare_value(name: str) -> str:
    """A header's value goes on to the end of its line, any other to a blank or a separator."""
    return _REST_OF_LINE if name.lower().endswith(("authorization", "cookie")) else _BARE


def _end(pattern: str, text: str, at: int) -> int:
    match = _compiled(pattern).match(text, at)
    return match.end() if match else at
