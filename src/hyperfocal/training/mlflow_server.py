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

from hyperfocal.errors import SettingsError

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
        uri = _address(folder / "mlflow.db") or f"sqlite:///{folder / 'mlflow.db'}"
        return cls(uri, (folder / "mlartifacts").as_uri())

    def client(self) -> Any:
        """An MLflow client that gives up soon."""
        for name, value in _CLIENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        # The database says at every start which of its tables it has.
        logging.getLogger("alembic").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db").setLevel(logging.WARNING)
        return MlflowClient(self.uri, registry_uri=self.uri)


def refuse_another_place(out: Path) -> None:
    """:class:`SettingsError` where the database beside a run's folder would lie elsewhere."""
    database = out.resolve().parent / "mlflow.db"
    if not os.environ.get("MLFLOW_TRACKING_URI") and _address(database) is None:
        raise SettingsError(
            f"MLflow's database cannot lie in {database.parent}: SQLAlchemy reads another name in "
            "its address; name another folder (--out), or MLFLOW_TRACKING_URI, or leave MLflow out "
            "(--no-tracking)"
        )


def _address(database: Path) -> str | None:
    """A database's address as SQLAlchemy understands it; None where it has none.

    A question mark ends the name, and what is escaped is that since SQLAlchemy 2.1 only.
    """
    name = str(database)
    if not {"?", "%"} & set(name):
        return f"sqlite:///{name}"
    try:
        from sqlalchemy.engine import make_url
    except ImportError:
        return None
    escaped = name.replace("%", "%25").replace("?", "%3F")
    # Where the driver is not named MLflow makes a folder by the escaped name as well.
    addresses = (f"sqlite:///{name}", f"sqlite+pysqlite:///{escaped}")
    return next((one for one in addresses if make_url(one).database == name), None)


def run_of(out: Path, server: Server) -> str | None:
    """The run that a training's folder belongs to on this server."""
    try:
        told = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(told["run_id"]) if told.get("uri") == server.uri else None
