"""Which MLflow server keeps the runs.

The one that ``MLFLOW_TRACKING_URI`` names, else a database, ``mlflow.db``, and a folder,
``mlartifacts``, beside the run's folder.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RUN_FILE = "mlflow-run.json"

# The client's own defaults repeat a request for minutes before they give up, report home,
# draw a progress bar a file and print where to look.
_CLIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True)
class Server:
    """Where runs are kept: ``uri``, and ``artifacts`` where the files are kept here."""

    uri: str
    artifacts: str | None = None

    @classmethod
    def of(cls, out: Path) -> Server:
        """The server of the environment, or the database beside a run's folder."""
        if uri := os.environ.get("MLFLOW_TRACKING_URI"):
            return cls(uri)
        folder = out.resolve().parent
        return cls(f"sqlite:///{folder / 'mlflow.db'}", (folder / "mlartifacts").as_uri())

    def client(self) -> Any:
        """An MLflow client that gives up soon."""
        for name, value in _CLIENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        # The database says at every start which of its tables it has.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
        return MlflowClient(self.uri, registry_uri=self.uri)


def run_of(out: Path, server: Server) -> str | None:
    """The run that a training's folder belongs to on this server."""
    try:
        told = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(told["run_id"]) if told.get("uri") == server.uri else None
