"""A base model by its hub name, from the hub that HF_ENDPOINT names: here a small one on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from trackhub_trainer.model import TINY
from trainer_help import command, only_run


class Hub(BaseHTTPRequestHandler):
    """Serves the files of one model as huggingface.co does: with a commit and an etag."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        self.asked.append(self.path)
        path = TINY / self.path.removeprefix("/acme/small/resolve/main/").partition("?")[0]
        found = self.path.startswith("/acme/small/resolve/") and path.is_file()
        content = path.read_bytes() if found else b"{}"
        self.send_response(200 if found else 404)
        if not found:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    handler = type("Handler", (Hub,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.torture
def test_a_hub_name_is_loaded_from_the_endpoint_and_is_the_name_in_the_final_model(
    hub: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """With the network of this machine only."""
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    clean = {name: value for name, value in os.environ.items() if name not in offline}
    settings = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}", "HF_HOME": str(tmp_path / "hf")}
    arguments = "--base-model acme/small --max-steps 1 --eval-limit 1 --batch-size 2 --threads 1 --trackers none"
    done = subprocess.run(
        command(*arguments.split(), "--runs-dir", str(tmp_path / "runs")),
        cwd=tmp_path,
        env={**clean, **settings, "OMP_NUM_THREADS": "1", "TRACKHUB_SYSTEM_EVERY": "0"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert "/acme/small/resolve/main/model.safetensors" in hub.RequestHandlerClass.asked
    adapter = json.loads((only_run(tmp_path / "runs") / "final_model" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "acme/small"
