"""What is sent to an open run: values, parameters, tags and the end. This imports the SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from trackhub.plugin import Rejected, Retry, Row
from trackhub_mlflow.answers import verdicts
from trackhub_mlflow.opening import LONGEST_TAG, deleted

MOST_METRICS, MOST_PARAMS = 1000, 100
"""What MLflow takes in one request."""
MOST_BYTES = 900_000
"""A server takes 1,000,000 bytes in one request."""
ENVELOPE = 150
"""Bytes that a value needs in a request beside its texts, at most."""
CHANGED = "trackhub.changed_params"
"""The tag that names the parameters of which MLflow holds the first value, not the last."""


class Sent:
    """One run in MLflow, and what is sent there.

    Args:
        client: of the store.
        found: the run.
    """

    def __init__(self, client: MlflowClient, found: Run) -> None:
        self._client = client
        self.run_id: str = found.info.run_id
        self._ended: int | None = found.info.end_time if found.info.status != "RUNNING" else None

    def rows(self, rows: list[Row]) -> None:
        """Store values. One that is there with the same step, time and value stays one."""
        self._go_on(rows)
        metrics = [
            Metric(key, float(value), milliseconds(row.timestamp), row.step)
            for row in rows
            for key, value in row.metrics.items()
        ]
        for some in _portions(metrics, MOST_METRICS):
            self._send(metrics=some)

    def params(self, params: dict[str, str]) -> list[str]:
        """Store those that are new. Returns the keys of those that MLflow holds with another value."""
        data = self._client.get_run(self.run_id).data
        new = [Param(key, text) for key, text in params.items() if key not in data.params]
        for some in _portions(new, MOST_PARAMS):
            self._send(params=some)
        changed = [key for key, text in params.items() if data.params.get(key, text) != text]
        known = data.tags.get(CHANGED, "").split(", ")
        if more := [key for key in changed if key not in known]:
            self.tags({CHANGED: ", ".join([*filter(None, known), *more])[:LONGEST_TAG]})
        return changed

    def tags(self, tags: dict[str, str]) -> None:
        """Set tags."""
        self._send(tags=[RunTag(key, text) for key, text in tags.items()])

    def end(self, status: str, moment: float) -> None:
        """Say how and when it ended."""
        self._ended = milliseconds(moment)
        self._client.set_terminated(self.run_id, status, self._ended)

    def points(self, key: str) -> list[tuple[int, float, float]]:
        """(step, value, timestamp) of every value of `key`."""
        found = self._client.get_metric_history(self.run_id, key)
        return [(metric.step, metric.value, metric.timestamp / 1000) for metric in found]

    def _go_on(self, rows: list[Row]) -> None:
        """Values from after the end mean that the run was resumed; a replay of earlier ones does not."""
        if self._ended is not None and max(milliseconds(row.timestamp) for row in rows) > self._ended:
            self._client.update_run(self.run_id, "RUNNING")
            self._ended = None

    def _send(self, **entities: list[Any]) -> None:
        """One request, stored whole or not at all."""
        try:
            with verdicts():
                self._client.log_batch(self.run_id, **entities, synchronous=True)
        except Rejected:
            self._check_alive()
            raise

    def _check_alive(self) -> None:
        """Of a run that somebody deleted nothing is set aside: it waits until the run is back."""
        try:
            stage = self._client.get_run(self.run_id).info.lifecycle_stage
        except MlflowException as error:
            stage = "deleted" if error.error_code == "RESOURCE_DOES_NOT_EXIST" else ""
        if stage == "deleted":
            raise Retry(deleted(self.run_id), after=60.0)


def milliseconds(moment: float) -> int:
    """Unix seconds as MLflow holds them: always the same for the same moment, so that a replay adds nothing."""
    return round(moment * 1000)


def _portions(entities: list[Any], most: int) -> Iterator[list[Any]]:
    """`entities` in their order, as many at once as a request takes."""
    some: list[Any] = []
    size = 0
    for entity in entities:
        length = _size(entity)
        if some and (len(some) == most or size + length > MOST_BYTES):
            yield some
            some, size = [], 0
        some.append(entity)
        size += length
    if some:
        yield some


def _size(entity: Any) -> int:
    """Bytes in a request, at most: MLflow sends ASCII, so a letter takes up to six and a picture sign twelve."""
    return ENVELOPE + len(json.dumps(entity.key)) + len(json.dumps(str(entity.value)))
