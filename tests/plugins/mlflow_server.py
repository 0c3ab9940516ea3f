"""A real MLflow server on this machine, a gate in front of it that can misbehave, and readers of what it stored."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import psutil

Stored = tuple[str, int, float | str, int]
"""Key, step, value ("NaN" for NaN) and milliseconds."""


class Server(NamedTuple):
    """A running server."""

    uri: str
    process: subprocess.Popen[bytes]

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop the worker that answers; its connections stay open."""
        worker = next(iter(psutil.Process(self.process.pid).children()))
        worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            worker.send_signal(signal.SIGCONT)


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


@contextmanager
def server(folder: Path, port: int = 0) -> Iterator[Server]:
    """``mlflow server`` with one worker, on any free port or the given one; it takes about 8 s to come up."""
    port = port or free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'm.db'}", "--artifacts-destination", str(folder / "art")]
    environ = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = (folder / "server.log").open("wb")
    process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=folder, start_new_session=True)
    try:
        _until_healthy(f"http://127.0.0.1:{port}/health", process)
        yield Server(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()


def _until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(url, timeout=2) as answer:  # noqa: S310 - http
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the MLflow server did not come up")


class Gate(ThreadingHTTPServer):
    """Passes requests on to a server, or answers itself while `answer` is set to (status, headers, body)."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] | None = None
    delay: float = 0.0
    """Seconds between what the server answered and its being passed back."""

    def __init__(self, behind: str) -> None:
        self.behind = behind.removeprefix("http://")
        self.seen: list[str] = []
        self.times: list[float] = []
        """When each of them came, by the monotonic clock."""
        super().__init__(("127.0.0.1", 0), _Pass)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Pass(BaseHTTPRequestHandler):
    server: Gate

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(f"{self.command} {self.path}")
        self.server.times.append(time.monotonic())
        status, headers, content = self.server.answer or self._passed_on(body)
        time.sleep(self.server.delay)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(BrokenPipeError):  # whoever asked waits no more
            self.wfile.write(content)

    def _passed_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        with closing(http.client.HTTPConnection(self.server.behind, timeout=20)) as behind:
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            behind.request(self.command, self.path, body, headers)
            answer = behind.getresponse()
            return answer.status, {"Content-Type": answer.headers.get("Content-Type", "")}, answer.read()

    do_GET = do_POST = do_PUT = do_PATCH = _any  # noqa: N815 - named by the library

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def gate(behind: str) -> Iterator[Gate]:
    """A gate in front of the server at `behind`."""
    with Gate(behind) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield one
        finally:
            one.shutdown()
            thread.join()


def stored(database: Path, run_id: str, key: str | None = None) -> list[Stored]:
    """Every row of the table of metrics, read without MLflow."""
    query = "select key, step, case when is_nan then 'NaN' else value end, timestamp from metrics where run_uuid = ?"
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"{query} order by timestamp, step, value", (run_id,)).fetchall()
    return [row for row in rows if key in (None, row[0])]


def client(uri: str) -> Any:
    """MLflow's own client, whose imports warn of its own dependencies."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient
        from mlflow.store.tracking import sqlalchemy_store  # noqa: F401 - warns when it is imported

    return MlflowClient(uri, uri)


def files(of: Any, run_id: str, folder: str | None = None) -> dict[str, int]:
    """The artifacts of a run: size by path."""
    found: dict[str, int] = {}
    for entry in of.list_artifacts(run_id, folder):
        found |= files(of, run_id, entry.path) if entry.is_dir else {entry.path: entry.file_size}
    return found
