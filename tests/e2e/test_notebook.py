"""A real Jupyter kernel: cells that are run again, a restart in mid-run, a kernel that is shut down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from trackhub.delivery.receipt import receipts
from trackhub.events import WITHOUT_A_WORD
from trackhub.journal.state import state
from trackhub.layout import RunFolder, all_runs

pytestmark = pytest.mark.alone

pytest.importorskip("ipykernel")
manager = pytest.importorskip("jupyter_client.manager")

CELL = """
run = trackhub.start(trackers="csv,jsonl", name="cell")
for step in range(20):
    run.log_metrics({"a": step}, step=step)
"""


class Notebook:
    """A kernel, and what its cells print."""

    def __init__(self) -> None:
        self.kernel = manager.KernelManager(kernel_name="python3")
        self.kernel.start_kernel(extra_arguments=["--HistoryManager.enabled=False"])
        self._connect()

    def _connect(self) -> None:
        self.client: Any = self.kernel.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str) -> str:
        """Run a cell; what it printed, or the error that it ended with."""
        printed: list[str] = []
        reply = self.client.execute_interactive(code, timeout=60, output_hook=lambda one: _text(one, printed))
        content = reply["content"]
        return "".join(printed) + (f"{content['ename']}: {content['evalue']}" if content["status"] == "error" else "")

    def restart(self, now: bool) -> None:
        """What the button does; `now`: as when the kernel does not answer."""
        self.client.stop_channels()
        self.kernel.restart_kernel(now=now)
        self._connect()

    def close(self) -> None:
        self.client.stop_channels()
        with suppress(RuntimeError):
            self.kernel.shutdown_kernel()
        self.kernel.cleanup_resources()


def _text(message: dict[str, Any], printed: list[str]) -> None:
    if message["header"]["msg_type"] == "stream":
        printed.append(message["content"]["text"])


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("TRACKHUB_LINGER", "60")
    opened = Notebook()
    assert opened.run("import trackhub") == ""
    try:
        yield opened
    finally:
        opened.close()


def delivered(folder: RunFolder) -> bool:
    """Whether all of its events have arrived within some seconds, without any help."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = receipts(folder)
        if len(found) == 2 and all(receipt.complete for receipt in found):
            return len((folder.path / "metrics.csv").read_text().splitlines()) == 21
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("now", [False, True])
def test_a_kernel_that_is_restarted_leaves_a_killed_run_and_the_cell_opens_another(
    notebook: Notebook, runs: Path, now: bool
) -> None:
    assert notebook.run(CELL) == ""
    assert "ZeroDivisionError" in notebook.run("1 / 0")
    (first,) = all_runs(runs)
    assert state(first).status == "running"
    notebook.restart(now)
    assert delivered(first)
    assert (state(first).status, state(first).reason) == (
        "killed",
        WITHOUT_A_WORD if now else "the kernel was shut down",
    )
    assert notebook.run("import trackhub") == ""
    assert notebook.run(CELL) == ""
    assert notebook.run("run.finish()") == ""
    (second,) = (folder for folder in all_runs(runs) if folder.path != first.path)
    assert delivered(second)
    assert [state(folder).status for folder in (first, second)] == ["killed", "finished"]
    assert state(first).id != state(second).id


def test_a_cell_that_is_run_again_opens_a_second_run_and_the_first_goes_on(notebook: Notebook, runs: Path) -> None:
    assert notebook.run(CELL) == ""
    assert notebook.run("first = run") == ""
    assert notebook.run(CELL) == ""
    assert notebook.run("first.log_metrics({'late': 1.0}); first.finish(); run.finish()") == ""
    assert len(all_runs(runs)) == 2
    assert [state(folder).status for folder in all_runs(runs)] == ["finished", "finished"]
    sizes = sorted(len((folder.path / "metrics.jsonl").read_text().splitlines()) for folder in all_runs(runs))
    assert sizes == [20, 21]


def test_an_object_of_a_notebook_is_a_tracker(notebook: Notebook, runs: Path) -> None:
    define = """
from trackhub.plugin import hookimpl
class Mine:
    rows = []
    @hookimpl
    def log_metrics(self, metrics, step):
        self.rows.append((step, metrics["a"]))
with trackhub.start(trackers=[Mine()]) as run:
    run.log_metrics({"a": 1.0}, step=1)
print(Mine.rows)
"""
    assert "[(1, 1.0)]" in notebook.run(define)
