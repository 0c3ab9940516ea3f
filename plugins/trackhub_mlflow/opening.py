"""How a run is opened: the store, the experiment, and the run in it. This imports the SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

from trackhub.plugin import FileLock, Rejected, RunInfo
from trackhub_mlflow import places
from trackhub_mlflow.artifacts import part

LONGEST_NAME = 500
"""Characters of the name of an experiment."""
LONGEST_TAG = 8000
"""Characters of the value of a tag."""
MARK = "trackhub.run_id"
"""The tag by which a run is found again."""


def opened(uri: str, experiment: str, run: RunInfo) -> tuple[MlflowClient, Run]:
    """The client of the store at `uri`, and the run in it; made if it is not there.

    Raises:
        Rejected: the run or the experiment was deleted in MLflow.
    """
    database = places.local_database(uri)
    with _alone_with(database) if database else nullcontext():
        if database and not database.exists():
            _make_database(database)
        client = MlflowClient(uri, uri)
        found = _remembered(client, run) or _found_or_made(client, database, experiment, run)
    return client, found


@contextmanager
def _alone_with(database: Path) -> Iterator[None]:
    """Hold the lock beside the database: several runs at once on a new one break MLflow's migrations."""
    lock = FileLock(database.with_name(f"{database.name}.lock"))
    while not lock.acquire():
        time.sleep(0.05)
    try:
        yield
    finally:
        lock.release()


def _make_database(database: Path) -> None:
    """A new database, complete or not there at all: a kill in the middle leaves no half-made schema."""
    new = database.with_name(f".{database.name}.new")
    new.unlink(missing_ok=True)
    new.touch()  # with the rights that the umask leaves; sqlite would let nobody of the group write
    uri = f"{places.SQLITE}{new}"
    store = SqlAlchemyStore(uri, (database.parent / "mlartifacts").as_uri())
    store.engine.dispose()
    SqlAlchemyStore._engine_map.pop(uri, None)
    new.rename(database)


def _remembered(client: MlflowClient, run: RunInfo) -> Run | None:
    """The run whose id is on disk, if the store has it."""
    known = run.remembered.get("run_id")
    found = _or_none(lambda: client.get_run(known), "RESOURCE_DOES_NOT_EXIST") if known else None
    if found is not None and found.info.lifecycle_stage == "deleted":
        raise Rejected(deleted(found.info.run_id))
    return found


def deleted(run_id: str) -> str:
    """What to say of a run that somebody deleted."""
    return (
        f"the run was deleted in MLflow: bring it back with `mlflow runs restore --run-id {run_id}`, "
        "or delete it for good with `mlflow gc`; then: trackhub sync"
    )


def _found_or_made(client: MlflowClient, database: Path | None, experiment: str, run: RunInfo) -> Run:
    """Looked for first: an answer that never came does not mean that no run was made."""
    home = _experiment(client, database, experiment[:LONGEST_NAME])
    known = client.search_runs([home], f"tags.`{MARK}` = '{run.id}'", ViewType.ACTIVE_ONLY, max_results=1)
    return known[0] if known else client.create_run(home, round(run.started * 1000), _tags(run), run.name)


def _experiment(client: MlflowClient, database: Path | None, name: str) -> Any:
    """The id of an experiment; artifacts of a local one lie beside the database, not in the working folder."""
    found = client.get_experiment_by_name(name)
    if found is None:
        at = (database.parent / "mlartifacts" / part(name)).as_uri() if database else None
        made = _or_none(lambda: client.create_experiment(name, artifact_location=at), "RESOURCE_ALREADY_EXISTS")
        return made or client.get_experiment_by_name(name).experiment_id
    if found.lifecycle_stage == "deleted":
        raise Rejected(
            f"the experiment {name!r} was deleted in MLflow: bring it back with `mlflow experiments restore "
            f"--experiment-id {found.experiment_id}`, or take another: --tracker-opt mlflow.experiment=..."
        )
    return found.experiment_id


def _tags(run: RunInfo) -> dict[str, str]:
    """What is known of a run when it begins."""
    tags = {
        MARK: run.id,
        "trackhub.tags": ", ".join(run.tags),
        "trackhub.group": run.group,
        "trackhub.job_type": run.job_type,
        "mlflow.note.content": run.notes,
        "mlflow.source.type": "LOCAL",
    }
    return {name: text[:LONGEST_TAG] for name, text in tags.items() if text}


def source_tags(environment: dict[str, Any]) -> dict[str, str]:
    """What ran, under the names that MLflow's pages know; known at the end of a run."""
    git: dict[str, Any] = environment.get("git") or {}
    tags = {
        "mlflow.source.name": " ".join(environment.get("argv") or ()),
        "mlflow.source.git.commit": git.get("commit"),
        "mlflow.source.git.branch": git.get("branch"),
        "trackhub.git.dirty": str(git["dirty"]).lower() if git.get("dirty") is not None else None,
        "trackhub.host": environment.get("host"),
        "trackhub.python": environment.get("python"),
    }
    return {name: text[:LONGEST_TAG] for name, text in tags.items() if text}


def _or_none(ask: Any, code: str) -> Any:
    """What `ask` returns; None if MLflow answers with this error code."""
    try:
        return ask()
    except MlflowException as error:
        if error.error_code != code:
            raise
        return None
