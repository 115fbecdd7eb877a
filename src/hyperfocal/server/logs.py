"""The log: one JSON object a line on stderr. Never a picture, a key, a query or a file's name."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime
from typing import TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request being answered; goes into each line written meanwhile."""


def of_no_request() -> Context:
    """For tasks that outlive the request which they are begun in, and are not part of it."""
    context = copy_context()
    context.run(request_id.set, "")
    return context


_OWN = "hyperfocal"
_LEVELS = {
    "uvicorn.error": "WARNING",
    "asyncio": "WARNING",
    "alembic": "WARNING",
    # It repeats bytes of forms, which may be those of a picture.
    "python_multipart": "ERROR",
}


class JsonLines(logging.Formatter):
    """Each record as one line of JSON; ``extra={"fields": {…}}`` adds members."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if request_id.get():
            line["request_id"] = request_id.get()
        line.update(getattr(record, "fields", {}))
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send the service's log, and what it is built on has to say, to ``stream`` (stderr)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    for name, least in {_OWN: level.upper(), **_LEVELS}.items():
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(least)
