"""An answered request as the feedback store remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hyperfocal.feedback import Request

if TYPE_CHECKING:
    from hyperfocal.server.pool import Answer


def request_of(answer: Answer, *, request_id: str, owner: str) -> Request:
    """What is remembered of an answer: figures only."""
    return Request(
        request_id=request_id,
        owner=owner,
        model=answer.model,
        model_version=answer.model_version,
        scale=answer.scale,
        width=answer.width,
        height=answer.height,
        consistency_db=answer.consistency_db,
        statistics=answer.statistics,
    )
