"""Verdicts on restored pictures: written down, counted, exported, and removed again.

Nothing of a picture is kept without its owner's consent; what is kept goes by the retention rules
or on request, together with everything that belongs to it. Functions work on a SQLAlchemy session
that the caller opens; nothing here is imported unless feedback is used.
"""

from hyperfocal.feedback.export import remove_withdrawn, write_lines
from hyperfocal.feedback.presence import not_found
from hyperfocal.feedback.records import (
    MAX_COMMENT,
    Deleted,
    Given,
    Opinion,
    Reason,
    Request,
    RequestReused,
    RequestUnknown,
    Verdict,
)
from hyperfocal.feedback.retention import Retention, old_pictures
from hyperfocal.feedback.statistics import Statistics, Tally, count

__all__ = [
    "MAX_COMMENT",
    "Deleted",
    "Given",
    "Opinion",
    "Reason",
    "Request",
    "RequestReused",
    "RequestUnknown",
    "Retention",
    "Statistics",
    "Tally",
    "Verdict",
    "count",
    "not_found",
    "old_pictures",
    "remove_withdrawn",
    "write_lines",
]
