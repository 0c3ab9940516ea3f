"""Which names announce a credential: `api_key` and `dbPassword` do, `max_key_length` and `pad_token` do not."""

from __future__ import annotations

import re
from functools import cache, lru_cache

REDACTED = "[redacted]"
"""What stands where a credential stood."""

NONE, WEAK, STRONG = 0, 1, 2
"""What a name says of its value: nothing; a credential if it looks like one; a credential."""

_LONGEST_PART, _MOST_PARTS = 200, 20
_SECRET_ENDINGS = (
    *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets"),
    *("credential", "credentials", "creds", "authorization", "cookie", "cookies", "bearer"),
    *("apikey", "apikeys", "accesskey", "secretkey", "privatekey", "accountkey", "signingkey", "encryptionkey"),
    *("authtoken", "accesstoken", "apitoken", "sessiontoken", "refreshtoken", "bearertoken"),
    *("密码", "口令", "密钥", "令牌"),
)


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


_PLATFORMS = _set(
    "anthropic aws azure clearml cohere comet databricks deepseek fireworks gcp gemini gh git github gitlab gradio",
    "groq hf hub hugging huggingface jupyter langchain langsmith mistral mlflow modelscope modal neptune ngrok npm",
    "nvidia openai openrouter pinecone pypi replicate roboflow slack swanlab telegram together twine vault wandb",
)
_KEY_OWNERS = _PLATFORMS | _set(
    "access account admin api app application auth client consumer decryption deploy encryption hmac license master",
    "private secret service shared signing sas storage subscription",
)
_TOKEN_OWNERS = _PLATFORMS | _set(
    "access admin api app auth bearer client csrf deploy device jwt login oauth oauth2 personal private refresh",
    "registry secret security service session tracking webhook xsrf",
)
_VOCABULARY = _set(
    "add additional assistant audio blank boi bos bot class cls continue decoder dist end eod eoi eol eos eot eou",
    "extra fim first forced generated human image init input instruction itl last mask max middle min new newline",
    "next num oov output pad per placeholder prefix prompt query register response sep separator sos space special",
    "start stop suffix system target text think time tool trigger unk unknown user video vision vocab word",
)
"""Words before `token` in the tokenizers and reports of language models."""
_PASSES = _set("all backward band first forward full high last low multi one render second single test two")
_ABOUT_IT = _set(
    "algorithm attempts column count cracking dataset detection detector dir directory enabled endpoint env",
    "expiration expires expiry fd field file filename folder format helper hint index kind label len length limit",
    "location manager max min mode model name names path paths pattern policy project prompt provider ref regex",
    "required retries rotation rounds rule rules scanner scanning scheme size split store strength task timeout ttl",
    "type uri url validator var variable version",
)
"""Words that turn "the password" into something about it: `password_policy`, `token_file`."""


@cache
def _word() -> re.Pattern[str]:
    return re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")


def _words(part: str) -> list[str]:
    return [word.lower() for word in _word().findall(part)]


@lru_cache(maxsize=4096)
def strength(name: str) -> int:
    """How much `name`, with its parents before it ("hub.token"), says that its value is a credential."""
    before, above, grade = "", NONE, NONE
    for part in name.split(".")[-_MOST_PARTS:]:
        words = _words(part[-_LONGEST_PART:])
        grade = _grade_of_part(words, before)
        if grade == NONE and above == STRONG and not (words and words[-1] in _ABOUT_IT):
            grade = STRONG
        before, above = (words[-1] if words else before), grade
    return grade


def _grade_of_part(words: list[str], before: str) -> int:
    grades = [NONE]
    for word, previous, at in zip(words, [before, *words], range(1, len(words) + 1), strict=False):
        if not _ABOUT_IT.intersection(words[at:]):
            grades.append(_grade_of_word(word, previous, last=not any(map(str.isalpha, words[at:]))))
    return max(grades)


def _grade_of_word(word: str, previous: str, *, last: bool) -> int:
    if word.endswith(_SECRET_ENDINGS):
        return STRONG
    if word in ("key", "keys"):
        return STRONG if previous in _KEY_OWNERS else NONE
    if word in ("pass", "pat", "auth", "token", "tokens") and last:
        return _grade_of_ending(word, previous)
    return NONE


def _grade_of_ending(word: str, previous: str) -> int:
    if word == "pass":
        return NONE if previous in _PASSES else STRONG
    if word in ("pat", "auth"):
        return WEAK
    if previous in _TOKEN_OWNERS:
        return STRONG
    return WEAK if word == "token" and previous not in _VOCABULARY else NONE


def is_secret_name(name: str) -> bool:
    """Whether an option, variable or key of this name holds a credential, whatever its value looks like.

    A plain `token` or `auth` is not one by its name alone: it depends on the value.
    """
    return strength(name) == STRONG


@cache
def _no_secret() -> re.Pattern[str]:
    """Values that are the absence of a credential, or say where it comes from."""
    return re.compile(r"(?i:none|null|nil|true|false|str|\**)|\$\{[\w.:]+\}|\$[A-Z][A-Z0-9_]*")


def hides(name: str, value: str) -> bool:
    """Whether `value`, under `name`, is a credential as a whole."""
    grade = strength(name)
    if grade == NONE or _no_secret().fullmatch(value) or _is_working_folder(name, value):
        return False
    return grade == STRONG or _looks_random(value)


def _is_working_folder(name: str, value: str) -> bool:
    return name.lower() in ("pwd", "oldpwd") and (value.startswith(("/", "~", "\\")) or value[1:2] == ":")


def _looks_random(value: str) -> bool:
    """Long enough, in one piece, no number, and no `<|special|>` or `[MASK]` token."""
    if len(value) < 8 or REDACTED in value or value[0] in "<[" or len(value.split()) != 1:
        return False
    has_digit = any(map(str.isdigit, value))
    return not _is_number(value) and (has_digit or len(value) >= 16)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
