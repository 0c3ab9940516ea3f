"""The MLflow tracker through the conformance kit; its store is read with sqlite alone."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from trackhub_mlflow import MlflowTracker

from trackhub.layout import RunFolder
from trackhub.testing import Carried, SomeJournal, TrackerConformance


def asked(run: Path, carried: Carried, question: str) -> list[tuple[Any, ...]]:
    """The rows of the store that answer `question` of the run."""
    run_id = carried.cursor(RunFolder(run)).remembered["run_id"]
    with closing(sqlite3.connect(run.parent / "mlflow.db")) as store:
        return store.execute(question, (run_id,)).fetchall()


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of MLflow's making, to be copied: it takes seconds to make one."""
    folder = tmp_path_factory.mktemp("store")
    journal = SomeJournal(folder / "runs" / "a-run")
    journal.end()
    Carried(MlflowTracker, {}, folder / "scratch").deliver(journal.folder)
    return folder / "runs" / "mlflow.db"


class TestMlflow(TrackerConformance):
    tracker = MlflowTracker

    @pytest.fixture(autouse=True)
    def _store(self, empty_store: Path, tmp_path: Path) -> None:
        (tmp_path / "runs").mkdir()
        shutil.copy(empty_store, tmp_path / "runs")

    def read_params(self, run: Path, carried: Carried) -> dict[str, Any]:
        return dict(asked(run, carried, "select key, value from params where run_uuid = ?"))

    def read_status(self, run: Path, carried: Carried) -> str:
        ((status,),) = asked(run, carried, "select status from runs where run_uuid = ?")
        return str(status).lower()
