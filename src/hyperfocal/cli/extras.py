"""What the verbs of training need beyond a plain install."""

from __future__ import annotations

from hyperfocal.errors import RuntimeMissing


def needs_torch(*others: str) -> None:
    """:class:`RuntimeMissing` where the training extra, large and rarely wanted, is absent."""
    from importlib.util import find_spec

    for module in ("torch", "lightning", "onnx", *others):
        if find_spec(module) is None:
            raise RuntimeMissing(
                f"training needs {module}; install it with: pip install 'hyperfocal[train]'"
            )
