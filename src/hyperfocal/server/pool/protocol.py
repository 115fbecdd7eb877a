"""Lines of JSON between the pool and a worker.

To the worker, on its stdin:

    {"do": "load", "order": {...}}        see :class:`Order`; the first line
    {"do": "task", "number": 1, "task": {...}}
    {"do": "cancel", "number": 1}
    {"do": "stop"}

From the worker, on its stdout:

    {"say": "ready", "versions": {...}}   or {"say": "failed", "error": {...}}
    {"say": "model", "number": 1, "model": "...", "version": "..."}
    {"say": "progress", "number": 1, "done": 0.5}
    {"say": "answer", "number": 1, "answer": {...}, "spent": false}
    {"say": "error", "number": 1, "error": {...}, "spent": false}

The model that a picture is given to is told before it is, so that it is known whatever becomes of
that. An error that nobody foresaw comes with a ``trace`` for the log. ``spent``: the worker holds
much more memory than after loading and wants to be replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hyperfocal import errors
from hyperfocal.server import errors as server_errors

LONGEST = 1 << 20
"""Bytes of a line, at most."""


@dataclass(frozen=True)
class Order:
    """How a worker shall be set up.

    ``models``: names to load, in order of preference. ``settings``: of :class:`Settings`, as
    JSON values. ``memory``: bytes of address space beyond what is in use after loading.
    ``cores``: numbers of the processor cores to keep to; empty: any. ``parent``: process id of
    the pool's process.
    """

    models: tuple[str, ...]
    settings: Mapping[str, Any]
    memory: int
    cores: tuple[int, ...]
    parent: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Order:
        """The inverse of :meth:`to_plain`."""
        return cls(**{**plain, "models": tuple(plain["models"]), "cores": tuple(plain["cores"])})


def encode(message: Mapping[str, Any]) -> bytes:
    """One line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The message of one line; ValueError if it is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")
    return message


def error_to_plain(error: errors.HyperfocalError, message: str | None = None) -> dict[str, str]:
    """An error as JSON values; ``message`` instead of its own."""
    return {"class": type(error).__name__, "message": str(error) if message is None else message}


def error_from_plain(plain: Mapping[str, Any]) -> errors.HyperfocalError:
    """The error as it was raised in the worker: the same class, the same message."""
    kind = _classes().get(str(plain.get("class")), server_errors.WorkerFailed)
    return kind(str(plain.get("message")))


def _classes() -> dict[str, type[errors.HyperfocalError]]:
    # Only what a worker can raise: a client in the same program has classes of the same names.
    homes = (errors.__name__, server_errors.__name__)
    return {k.__name__: k for k in _tree(errors.HyperfocalError) if k.__module__ in homes}


def _tree(kind: type[errors.HyperfocalError]) -> Iterator[type[errors.HyperfocalError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)
