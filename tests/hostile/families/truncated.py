"""Files that end too early."""

from __future__ import annotations

from cases import Case, family
from pictures import sound

_SHARES = (0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9)


def families():
    """Every format, cut in its first bytes and at shares of its length."""
    yield family("truncated", _cases())


def _cases():
    for name, content in sound().items():
        for length in (1, 3, 7, 13, 21, 34):
            yield Case(f"{name} at {length} bytes", content[:length])
        for share in _SHARES:
            yield Case(f"{name} at {share:.0%}", content[: int(len(content) * share)])
