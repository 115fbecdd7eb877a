"""What a request and a verdict are, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from hyperfocal.errors import HyperfocalError, UsageError

MAX_COMMENT = 2000


class Verdict(StrEnum):
    """Thumbs up or down."""

    UP = "up"
    DOWN = "down"


class Reason(StrEnum):
    """What is wrong with a picture; none of them is needed."""

    BLURRY = "blurry"
    ARTEFACTS = "artefacts"
    INVENTED = "invented"
    COLOUR = "colour"
    FACES = "faces"
    TEXT = "text"
    NOISE = "noise"
    OTHER = "other"


class RequestUnknown(HyperfocalError):
    """No answered request of that id, or one of another key."""

    code = "not-found"
    status = 404


class RequestReused(HyperfocalError):
    """The id was used for another request after its result was judged."""

    code = "request-id-reused"
    status = 409


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Request:
    """A picture request that was answered.

    ``owner``: id of the API key, "" without keys. ``width`` and ``height`` are those of the
    result in pixels, ``scale`` its factor to the input, ``consistency_db`` how well it reduces
    to the input again. ``statistics``: of the input (brightness, contrast, blur, noise, …).
    """

    request_id: str
    owner: str
    model: str
    model_version: str
    scale: float
    width: int
    height: int
    consistency_db: float | None = None
    statistics: Mapping[str, float] = field(default_factory=dict)
    created: datetime = field(default_factory=now)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says about an answer.

    ``keep_picture``: the consent to keep the picture. Raises :class:`UsageError` for a comment
    that is too long or a reason given twice.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    comment: str = ""
    keep_picture: bool = False

    def __post_init__(self) -> None:
        if len(self.comment) > MAX_COMMENT:
            raise UsageError(f"the comment is longer than {MAX_COMMENT} characters")
        if "\0" in self.comment:
            raise UsageError("the comment contains a NUL character")
        if len(set(self.reasons)) < len(self.reasons):
            raise UsageError("a reason is given twice")


@dataclass(frozen=True, slots=True)
class Given:
    """A stored verdict with the request it is about. ``picture``: its name in the storage."""

    id: str
    created: datetime
    request: Request
    opinion: Opinion
    picture: str | None = None
    picture_bytes: int = 0

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON. The owner is left out: it says who, and is not needed to learn."""
        request, opinion = self.request, self.opinion
        return {
            "id": self.id,
            "request_id": request.request_id,
            "created": self.created.isoformat(),
            "verdict": opinion.verdict.value,
            "reasons": [reason.value for reason in opinion.reasons],
            "comment": opinion.comment,
            "keep_picture": opinion.keep_picture,
            "picture": self.picture,
            "model": request.model,
            "model_version": request.model_version,
            "scale": request.scale,
            "width": request.width,
            "height": request.height,
            "consistency_db": request.consistency_db,
            "statistics": dict(request.statistics),
            "answered": request.created.isoformat(),
        }


class PictureInTheWay(Exception):
    """An earlier picture has to go first: ``name``, its file in the storage."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True, slots=True)
class Written:
    """A verdict that was written down.

    ``has_picture``: whether a picture is kept. ``is_first``: there was none on this request
    before. ``model``, ``model_version``: what the request was answered with.
    """

    id: str
    has_picture: bool
    is_first: bool
    model: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Doomed:
    """A request that is to be removed: its number in the database, and its picture's name."""

    number: int
    picture: str | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much was removed."""

    requests: int = 0
    verdicts: int = 0
    pictures: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        return Deleted(
            self.requests + other.requests,
            self.verdicts + other.verdicts,
            self.pictures + other.pictures,
        )
