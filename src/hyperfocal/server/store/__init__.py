"""The database: SQLite by default, PostgreSQL by its URL; tables, migrations and access."""

from hyperfocal.server.store.engine import sqlite_file
from hyperfocal.server.store.forgetting import Forgotten, forget
from hyperfocal.server.store.jobs import Job, Order, Status
from hyperfocal.server.store.requests import request_of
from hyperfocal.server.store.store import Store, StoreUnavailable

__all__ = [
    "Forgotten",
    "Job",
    "Order",
    "Status",
    "Store",
    "StoreUnavailable",
    "forget",
    "request_of",
    "sqlite_file",
]
