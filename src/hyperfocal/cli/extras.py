"""What the verbs of training need beyond a plain install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hyperfocal.errors import RuntimeMissing, SettingsError

_NO_MEMORY = "can't allocate memory"


def needs_torch(*others: str) -> None:
    """:class:`RuntimeMissing` where the training extra, large and rarely wanted, is absent."""
    from importlib.util import find_spec

    for module in ("torch", "lightning", "onnx", *others):
        if find_spec(module) is None:
            raise RuntimeMissing(
                f"training needs {module}; install it with: pip install 'hyperfocal[train]'"
            )


@contextmanager
def enough_memory(
    advice: str = "make data.batch, data.patch or the net smaller, or train on fewer pictures "
    "(data.limit)",
) -> Iterator[None]:
    """:class:`SettingsError`, with ``advice``, where a training has not enough memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        # PyTorch's own error for a GPU is a RuntimeError, and it has none for a processor.
        where = type(error).__name__
        if (
            isinstance(error, MemoryError)
            or where == "OutOfMemoryError"
            or _NO_MEMORY in str(error)
        ):
            raise SettingsError(
                f"there is not enough memory for this training: {advice}"
            ) from error
        raise
