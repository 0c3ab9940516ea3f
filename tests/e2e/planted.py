"""Credentials of many kinds, planted wherever a training can put text; and harmless text that only resembles them.

As a script it is that training: all six trackers, and one of a user's own that is given a key.
"""

from __future__ import annotations

import base64
import hashlib
import random
import string
import sys
from pathlib import Path

_LETTERS = string.ascii_letters + string.digits


def _random(length: int, alphabet: str = _LETTERS) -> str:
    """The same characters in every process, other ones in every call; with a digit, a small and a capital letter."""
    _CHANCE.seed(f"planted {next(_COUNT)}")
    return "".join(_CHANCE.choices(alphabet, k=length - 3)) + ("aB7" if alphabet == _LETTERS else alphabet[:3])


_CHANCE = random.Random()
_COUNT = iter(range(10_000))


def _credentials() -> dict[str, tuple[str, list[str]]]:
    """By kind: the text as it stands in the wild, and the pieces of it that must be nowhere."""
    found: dict[str, tuple[str, list[str]]] = {}

    def add(kind: str, text: str, *pieces: str) -> None:
        found[kind] = (text.format(*pieces), list(pieces))

    add("openai", "sk-proj-{}", _random(48))
    add("openai old", "sk-{}", _random(48))
    add("anthropic", "sk-ant-api03-{}-AA", _random(93))
    add("hugging face", "hf_{}", _random(34))
    add("wandb", "wandb_v1_{}", _random(60))
    add("wandb login", "wandb login {}", _random(40, "0123456789abcdef"))
    add("swanlab login", "swanlab.login(api_key='{}')", _random(21))
    add("github", "ghp_{}", _random(36))
    add("github fine-grained", "github_pat_11ABCDEFG0_{}", _random(59))
    add("gitlab", "glpat-{}", _random(20))
    add("slack", "xoxb-123456789012-1234567890123-{}", _random(24))
    add("slack hook", "https://hooks.slack.com/services/T00000000/B00000000/{}", _random(24))
    add("google", "AIza{}", _random(35))
    add("google oauth", "ya29.{}", _random(60))
    add("aws", "AKIA" + "{} {}", _random(16, string.ascii_uppercase), _random(40))
    add("token in a url", "https://api.example.org/v1/runs?access_token={}&page=2", _random(32))
    add("basic auth in a url", "https://alice:{}@git.example.org/repo.git", _random(18))
    add("connection string", "postgresql://trainer:{}@db.example.org:5432/runs", _random(16))
    add("odbc", "Server=db.example.org;Database=runs;Uid=trainer;Password={};", _random(16))
    account = base64.b64encode(hashlib.sha512(b"azure").digest()).decode()
    add(
        "azure",
        "DefaultEndpointsProtocol=https;AccountName=runs;AccountKey={};EndpointSuffix=core.windows.net",
        account,
    )
    add("azure sas", "https://runs.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sig={}", _random(43))
    parts = [base64.urlsafe_b64encode(_random(30).encode()).decode().rstrip("=") for _ in range(2)]
    add("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", *parts)
    add("bearer", "Authorization: Bearer {}", _random(40))
    add("basic", "Authorization: Basic {}", base64.b64encode(f"alice:{_random(18)}".encode()).decode())
    add("netrc", "machine api.wandb.ai login user password {}", _random(40))
    lines = [_random(64) for _ in range(4)]
    add("private key", "-----BEGIN PRIVATE KEY-----\n{}\n{}\n{}\n{}\n-----END PRIVATE KEY-----", *lines)
    add("option", "train.py --api-key {} --epochs 3", _random(32))
    add("assignment", "export DB_PASSWORD='{}'", _random(20))
    return found


CREDENTIALS = _credentials()
NAMED = {
    name: _random(24)
    for name in ("password", "api_key", "secretKey", "hub.token", "client_secret", "AWS_SECRET_ACCESS_KEY")
}
"""Values that only their names give away."""
OPTION, ENV = _random(40), _random(40)
HARMLESS: dict[str, object] = {
    "num_tokens": 123456,
    "use_cls_token": True,
    "max_key_length": 4096,
    "pad_token": "<|endoftext|>",
    "commit": hashlib.sha1(b"commit").hexdigest(),  # noqa: S324 - as git does
    "sha256": hashlib.sha256(b"data").hexdigest(),
    "uuid": "2f1c8a5e-8d0a-4c55-9e4d-2b1f6f0c7a11",
    "picture": "iVBORw0KGgo" + base64.b64encode(hashlib.sha512(b"png").digest() * 3).decode(),
    "password_policy": "none",
    "key_path": "/data/models/HuggingFaceTB/SmolLM2-360M-Instruct/checkpoints/epoch-03/model.safetensors",
    "primary_key": "question_id",
    "endpoint": "https://api.example.org/v1/models?page=2&per_page=100",
    "image": "registry.example.org/team/train@sha256:" + hashlib.sha256(b"image").hexdigest(),
}
"""What must stay as it is."""


def pieces() -> dict[str, str]:
    """What must be nowhere, by a name for people."""
    found = {
        f"{kind} {number}": piece for kind, (_, parts) in CREDENTIALS.items() for number, piece in enumerate(parts)
    }
    return found | NAMED | {"option": OPTION, "environment": ENV}


TRACKER = """
from hashlib import sha256
from pathlib import Path
from trackhub.plugin import Options, hookimpl
class KeyOptions(Options):
    api_key: str = ""
    headers: dict[str, str] = {}
class KeyTracker:
    Options = KeyOptions
    def __init__(self, options):
        self.options = options
    @hookimpl
    def on_run_start(self, run):
        got = self.options.api_key + self.options.headers["Authorization"]
        import logging, sys, threading
        print("key is", self.options.api_key)
        print("api_key:", "plain", file=sys.stderr)
        logging.warning("retrying https://host/?key=%s", self.options.api_key)
        one = threading.Thread(target=lambda: int(self.options.api_key))
        one.start()
        one.join()
        (run.path / "got.txt").write_text(sha256(got.encode()).hexdigest())
    @hookimpl
    def log_metrics(self, metrics, step):
        if step == 9:
            raise ValueError("refused with " + self.options.api_key + " at https://me:%s@host" % self.options.api_key)
"""


def train(folder: Path) -> None:
    """A training that puts every credential everywhere."""
    import trackhub

    texts = {kind: text for kind, (text, _) in CREDENTIALS.items()}
    (folder / "tracker.py").write_text(TRACKER)
    (folder / "data.bin").write_bytes(b"\x00")
    offline = {"mode": "offline"}
    trackers: dict[str, dict[str, object]] = {name: {} for name in ("csv", "jsonl", "tensorboard", "mlflow")}
    trackers |= {"swanlab": offline, "wandb": offline}
    trackers[f"{folder}/tracker.py:KeyTracker"] = {
        "api_key": OPTION,
        "headers": {"Authorization": "Bearer " + OPTION},
    }
    run = trackhub.start(
        project="planted " + texts["openai"],
        name="run " + texts["hugging face"],
        trackers=trackers,
        config={
            "texts": texts,
            "list": list(texts.values()),
            "deep": [{"a": {"b": (texts,)}}],
            "named": NAMED,
            "bytes": texts["github"].encode(),
            **{name: {"value": value} for name, value in NAMED.items()},
            "harmless": HARMLESS,
        },
        tags=[*texts.values()],
        group="group " + texts["gitlab"],
        job_type="job " + texts["google"],
        notes="notes\n" + "\n".join(texts.values()),
        best={"loss " + texts["jwt"]: "min"},
        console=True,
        finish_timeout=120,
    )
    run.log_params({"later": texts, **{f"key {text}": 1 for text in texts.values()}})
    run.log_params({"harmless again": HARMLESS})
    for kind, text in texts.items():
        print("console:", text)
        print(text, file=sys.stderr)
        run.log_message(f"message: {text}", level="warning")
        run.log_message(text, level=text)
        run.log_metrics({f"loss/{text}": 0.5, "nested": {text: {"x": 1.0}}}, step=1)
        run.log_metrics({"text": text, kind: [text]}, step=2)
        run.log_media({f"text/{text}": f"a line with {text}"}, step=3)
        run.log_artifact(folder / "data.bin", name=f"artifact {text}", note=text, nested={"password": text})
        run.log_artifact(folder / text)
    for line in texts["private key"].splitlines():
        print(line)
    table = [{"text": text, "password": "plain" + NAMED["password"]} for text in texts.values()]
    page = "<html><body>" + "<br>".join(texts.values()) + "</body></html>"
    run.log_media({"table": trackhub.Table(table, caption="caption " + texts["openai"])})
    run.log_media({"html": trackhub.Html(page, caption=texts["bearer"])})
    run.log_media({"text": trackhub.Text("\n".join(texts.values()))})
    for text in texts.values():
        run.log_media({"captioned": trackhub.Text("plain", caption=text), "broken": trackhub.Image(text)})
    (run.path / "model.ckpt").write_bytes(b"\x00")
    run.save_checkpoint(run.path / "model.ckpt", step=3, metrics={f"val {texts['slack']}": 1.0, "x": texts["openai"]})
    run.save_checkpoint(folder / texts["google"])
    run.log_metrics({"loss": 1.0}, step=9)
    with run:
        raise RuntimeError("it failed with " + " and ".join(texts.values()))


if __name__ == "__main__":
    train(Path(sys.argv[1]))
