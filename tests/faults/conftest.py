"""What the tests of faults share: the real MLflow server of the plugin's own tests, and a gate before it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

sys.path.append(str(Path(__file__).parents[1] / "plugins"))

if TYPE_CHECKING:
    from mlflow_server import Gate, Server


class Place(NamedTuple):
    """A real server, and the database that it stores to."""

    server: Server
    database: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One real server for all tests of outages."""
    from mlflow_server import server

    folder = tmp_path_factory.mktemp("mlflow-server")
    with server(folder) as one:
        yield Place(one, folder / "m.db")


@pytest.fixture
def guarded(place: Place) -> Iterator[Gate]:
    """The real server behind a gate that can misbehave."""
    from mlflow_server import gate

    with gate(place.server.uri) as one:
        yield one
