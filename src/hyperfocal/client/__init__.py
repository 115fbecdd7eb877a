"""A client of the service, for programs that leave the work to another machine.

    from hyperfocal.client import Client

    with Client("http://127.0.0.1:8000") as client:
        restored = client.upscale("portrait.jpg", scale=2, format="png")
        restored.save("portrait@2x.png")
        print(restored.consistency_db)

Neither numpy nor an engine is imported unless arrays or images go in or come out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyperfocal.client.answers import Estimate, Health, Job, Model, Prediction, Restored
    from hyperfocal.client.client import Client
    from hyperfocal.client.errors import ServiceError
    from hyperfocal.client.retry import Retry

_HOMES = {
    "Client": "client",
    "Estimate": "answers",
    "Health": "answers",
    "Job": "answers",
    "Model": "answers",
    "Prediction": "answers",
    "Restored": "answers",
    "Retry": "retry",
    "ServiceError": "errors",
}

__all__ = [
    "Client",
    "Estimate",
    "Health",
    "Job",
    "Model",
    "Prediction",
    "Restored",
    "Retry",
    "ServiceError",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
