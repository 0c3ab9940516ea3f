"""The options of the tracker, and where they lead."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Meta

from trackhub.plugin import Uploads
from trackhub_mlflow import places


class MlflowOptions(Uploads):
    """The options of this tracker."""

    tracking_uri: Annotated[
        str | None,
        Meta(
            description="http://host:5000, or sqlite:////path/mlflow.db "
            "(default: MLFLOW_TRACKING_URI, else mlflow.db beside the runs)"
        ),
    ] = None
    experiment: Annotated[str | None, Meta(description="MLflow experiment (default: the run's project)")] = None
    timeout: Annotated[
        float, Meta(description="seconds that one request to a server may take at first; more for files", ge=1, le=50)
    ] = 10.0

    def __post_init__(self) -> None:
        """Refuse an address that cannot work, or that must not be written down."""
        if self.tracking_uri is not None and places.has_secret(self.tracking_uri):
            raise ValueError(
                "tracking_uri holds a password or token, which would be on disk: export MLFLOW_TRACKING_URI=..., "
                "or MLFLOW_TRACKING_USERNAME=... and MLFLOW_TRACKING_PASSWORD=..."
            )
        self.uri()

    def uri(self) -> str | None:
        """Where to, by option or environment; None for the database beside the runs."""
        given = self.tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        return places.checked(given) if given else None
