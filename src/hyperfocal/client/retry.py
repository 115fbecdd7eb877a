"""When to try again, and after how long."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from numbers import Integral, Real

from hyperfocal.errors import UsageError
from hyperfocal.kinds import check_kinds
from hyperfocal.restore.target import is_finite_number, shown

BUSY = (429, 502, 503)
"""Statuses after which the same request may succeed: none of them means work was done."""

# Eleven days; what a clock and a socket can wait for at once ends at twice that.
_LONGEST_TIMEOUT = 1e6
# More than anyone waits, and less than a clock can hold.
_LONGEST_ASKED = 999_999_999.0
# Pauses no longer double after so many tries, which floats could not hold.
_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a client is.

    ``attempts``: at most so many tries, the first included; 1 never tries again. ``first``,
    ``longest``: seconds of the first and the longest pause; each is twice the one before, and a
    random part of it is taken off, so that clients refused together do not come back together.
    ``patience``: seconds of all pauses of one call; a service that asks for more is not waited
    for. A pause the service asks for (Retry-After) is never cut short.
    """

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    patience: float = 120.0

    def __post_init__(self) -> None:
        check_kinds(
            attempts=(self.attempts, Integral),
            first=(self.first, Real),
            longest=(self.longest, Real),
            patience=(self.patience, Real),
        )
        if self.attempts < 1 or not 0 <= self.first <= self.longest or self.patience < 0:
            raise UsageError(
                "a Retry needs attempts of at least 1, first between 0 and longest, "
                "and a patience of at least 0"
            )

    def pause(
        self,
        tried: int,
        waited: float,
        asked: float | None,
        *,
        draw: Callable[[], float] = random.random,
    ) -> float | None:
        """Seconds to wait after ``tried`` tries and ``waited`` seconds of pauses; None: give up.

        ``asked``: what the service asked for; ``draw``: a number in [0, 1).
        """
        if tried >= self.attempts:
            return None
        pause = min(self.longest, self.first * 2.0 ** min(tried - 1, _DOUBLINGS))
        pause *= 1 - draw() / 2
        if asked is not None:
            # A little more than asked for, for the same reason of not coming back together.
            pause = asked + min(pause, self.first) * draw()
        return pause if waited + pause <= self.patience else None


def check_seconds(timeout: float | None) -> None:
    """:class:`UsageError` for a time limit that is none."""
    if timeout is not None and not (is_finite_number(timeout) and 0 < timeout <= _LONGEST_TIMEOUT):
        raise UsageError(
            f"a timeout is more than 0 and at most {_LONGEST_TIMEOUT:,.0f} s, not {shown(timeout)}"
        )


def read_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, 10.2.3: seconds or a date), or None."""
    if text is None:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_ASKED)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    asked = (until - (now or datetime.now(UTC))).total_seconds()
    return min(max(asked, 0.0), _LONGEST_ASKED)
