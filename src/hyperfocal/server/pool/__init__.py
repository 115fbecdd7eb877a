"""Worker processes that decode, restore and encode, and the pool that hands them work.

The process that owns the pool never decodes a picture nor loads a model. Pictures travel as
files; what goes through the pipes is a line of JSON, so that even a worker taken over by a hostile
file cannot make the service run anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.server.pool.pool import Pool
    from hyperfocal.server.pool.task import Answer, Options, Task

__all__ = ["Answer", "Options", "Pool", "Task"]

_HOMES = {"Answer": "task", "Options": "task", "Pool": "pool", "Task": "task"}


def __getattr__(name: str) -> Any:
    # Late, so that a worker, whose module lies in this package, does not load the pool.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
