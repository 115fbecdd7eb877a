"""What is sent, and what may come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

WRONG_PICTURE = frozenset({413, 415, 422})
"""Answers to what is no picture that can be read: too large, of no known kind, or damaged."""

WRONG_REQUEST = frozenset({400, 413, 415, 422})
"""Answers to a request that is not as it should be, whatever picture it carries."""

PERHAPS = WRONG_PICTURE | {200}
"""Damage that may leave a picture, and what comes of it is then the right size."""


@dataclass(frozen=True)
class Case:
    """One request. ``allows``: statuses it may be answered with.

    ``size``: width and height of the result, where the answer may be one; None: as Pillow reads
    the input, doubled. ``raw``: ``content`` is the request with its head, sent as it is.
    """

    name: str
    content: bytes = b""
    allows: frozenset[int] = WRONG_PICTURE
    size: tuple[int, int] | None = None
    path: str = "/v1/upscale"
    method: str = "POST"
    headers: Mapping[str, str | bytes] = field(default_factory=dict)
    raw: bool = False


@dataclass(frozen=True)
class Family:
    """Requests of one kind. ``restarts``: workers that may have to be replaced for them."""

    name: str
    cases: tuple[Case, ...]
    restarts: int = 0


def family(name: str, cases: Iterable[Case], *, restarts: int = 0) -> Family:
    """A family whose cases are named after it."""
    named = tuple(replace(case, name=f"{name}: {case.name}") for case in cases)
    names = [case.name for case in named]
    assert len(names) == len(set(names)), sorted(one for one in names if names.count(one) > 1)
    return Family(name, named, restarts)
