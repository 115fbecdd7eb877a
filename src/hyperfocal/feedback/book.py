"""Writing down requests and verdicts, and taking them away again."""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Delete, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session, joinedload

from hyperfocal.feedback.records import (
    Deleted,
    Doomed,
    Given,
    Opinion,
    PictureInTheWay,
    Reason,
    Request,
    RequestReused,
    RequestUnknown,
    Verdict,
    Written,
    now,
)
from hyperfocal.feedback.tables import IdentityRow, PictureRow, RequestRow, VerdictRow
from hyperfocal.storage import Storage

_PAGE = 500


def record(session: Session, request: Request) -> None:
    """Write down that a request was answered.

    A client may choose its ids and use one twice: then the last answer counts, until one was
    judged. From then on the row stays as it is, or the verdict, the picture and the consent would
    be about what somebody else was sent; see :class:`RequestReused`.
    """
    row = _find(session, request.request_id, request.owner)
    if row is None:
        row = RequestRow(request_id=request.request_id, owner=request.owner)
        session.add(row)
    elif row.verdict is not None:
        row.reused = True
        return
    row.created = request.created
    row.model = request.model
    row.model_version = request.model_version
    row.scale = request.scale
    row.width, row.height = request.width, request.height
    row.consistency_db = _finite(request.consistency_db)
    row.statistics = {
        name: value for name, value in request.statistics.items() if _finite(value) is not None
    }


def know(session: Session, request_id: str, owner: str) -> None:
    """Raise :class:`RequestUnknown` unless this owner's request was answered."""
    _known(session, request_id, owner)


def check_open(session: Session, request_id: str, owner: str) -> None:
    """As :func:`know`; also :class:`RequestReused` for an id that takes no verdict any more."""
    _open(session, request_id, owner)


def give(
    session: Session,
    request_id: str,
    owner: str,
    opinion: Opinion,
    picture: tuple[str, str, int] | None = None,
    gone: str | None = None,
) -> Written:
    """Write down a verdict; an earlier one about the same request is replaced.

    ``picture``: name in the storage, media type and bytes of a picture that may be kept. Without
    one, that of the earlier verdict stays as long as there is consent.
    Raises :class:`RequestUnknown`, :class:`RequestReused`, and :class:`PictureInTheWay` for one
    that does not stay, unless its file is ``gone``: what names a file goes only when the file has.
    """
    request = _open(session, request_id, owner)
    row = request.verdict
    is_first = row is None
    if row is None:
        row = VerdictRow(id=secrets.token_hex(16), request=request)
        session.add(row)
    elif row.picture is not None and (picture is not None or not opinion.keep_picture):
        if row.picture.name != gone:
            raise PictureInTheWay(row.picture.name)
        row.picture = None
        session.flush()
    row.created = now()
    row.verdict = opinion.verdict.value
    row.reasons = [reason.value for reason in opinion.reasons]
    row.comment = opinion.comment
    row.keep_picture = opinion.keep_picture
    session.flush()
    if picture is not None:
        name, media_type, size = picture
        row.picture = PictureRow(name=name, media_type=media_type, bytes=size, created=row.created)
    return Written(row.id, row.picture is not None, is_first, request.model, request.model_version)


def find(
    session: Session,
    *,
    verdict: Verdict | None = None,
    models: Collection[str] | None = None,
    since: datetime | None = None,
    after: Given | None = None,
    limit: int | None = None,
) -> Iterator[Given]:
    """The verdicts, newest first, read a page at a time; ``after``: those that follow this one.

    ``models``: those about results of one of these, see :func:`judged_models`.
    """
    query = (
        select(VerdictRow)
        .join(VerdictRow.request)
        .options(joinedload(VerdictRow.request), joinedload(VerdictRow.picture))
        .order_by(VerdictRow.created.desc(), VerdictRow.id)
    )
    query = _narrow(query, verdict, models, since)
    if after is not None:
        query = query.where(
            or_(
                VerdictRow.created < after.created,
                and_(VerdictRow.created == after.created, VerdictRow.id > after.id),
            )
        )
    for row in session.scalars(query.limit(limit).execution_options(yield_per=_PAGE)):
        yield _given(row)


def judged_models(session: Session) -> list[str]:
    """What the results were made with that were judged; joined by ``+`` where it was several."""
    query = select(RequestRow.model).join(RequestRow.verdict).distinct()
    return sorted(session.scalars(query))


def of_request(session: Session, request_id: str, owner: str | None = None) -> list[Doomed]:
    """The requests of that id; ``owner`` None: of whoever made them."""
    if owner is None:
        return _doomed(session, RequestRow.request_id == request_id)
    return _doomed(session, RequestRow.request_id == request_id, RequestRow.owner == owner)


def verdicts_before(session: Session, before: datetime) -> list[Doomed]:
    """The requests whose verdicts were given before that time."""
    return _doomed(session, VerdictRow.created < before)


def pictures_before(session: Session, before: datetime) -> list[str]:
    """Names of the pictures kept since before that time."""
    return list(session.scalars(select(PictureRow.name).where(PictureRow.created < before)))


def drop_pictures(session: Session, names: Collection[str]) -> Deleted:
    """Write down that the files of pictures are gone; the verdicts stay."""
    return Deleted(pictures=_count(session, delete(PictureRow).where(PictureRow.name.in_(names))))


def drop_requests(
    session: Session, doomed: Collection[Doomed], before: datetime | None = None
) -> Deleted:
    """Remove requests with their verdicts; the files of their pictures must be gone.

    One that has another picture by now stays, as does one judged anew since ``before``.
    """
    total = drop_pictures(session, [one.picture for one in doomed if one.picture is not None])
    query = select(RequestRow).where(RequestRow.id.in_([one.number for one in doomed]))
    for row in list(session.scalars(query)):
        verdict = row.verdict
        if verdict is not None:
            is_new = before is not None and verdict.created >= before
            if is_new or verdict.picture is not None:
                continue
        session.delete(row)
        total += Deleted(requests=1, verdicts=int(verdict is not None))
    session.flush()
    return total


def erase_requests(session: Session, before: datetime) -> Deleted:
    """Remove requests answered before that time about which nobody said anything."""
    judged = select(VerdictRow.request_pk)
    old = delete(RequestRow).where(RequestRow.created < before, RequestRow.id.not_in(judged))
    return Deleted(requests=_count(session, old))


def identity(session: Session) -> str:
    """What this database is told from others by, see :class:`IdentityRow`."""
    return session.scalars(select(IdentityRow.id)).one()


def picture_names(session: Session) -> set[str]:
    """The names of all pictures that are kept on purpose."""
    return set(session.scalars(select(PictureRow.name)))


def count_pictures(session: Session, owner: str, since: datetime) -> int:
    """How many pictures are kept that this owner sent since then."""
    query = (
        select(func.count(PictureRow.id))
        .join(PictureRow.verdict)
        .join(VerdictRow.request)
        .where(RequestRow.owner == owner, PictureRow.created >= since)
    )
    return session.scalar(query) or 0


def keep(storage: Storage, database: str, picture: Path, suffix: str) -> tuple[str, int]:
    """Put a picture into the storage; gives its name there and its bytes.

    ``database``: the :func:`identity` of the one in which the name will be written down.
    """
    name = f"{database}-{secrets.token_hex(16)}.{suffix}"
    return name, storage.put(name, picture)


def count_requests(session: Session, since: datetime | None = None) -> int:
    """How many answered requests are known, or how many of them were answered since then."""
    query = select(func.count()).select_from(RequestRow)
    if since is not None:
        query = query.where(RequestRow.created >= since)
    return session.scalar(query) or 0


def _finite(value: float | None) -> float | None:
    """JSON has no infinity, which is the consistency of a picture that came back unchanged."""
    return value if value is not None and math.isfinite(value) else None


def _find(session: Session, request_id: str, owner: str) -> RequestRow | None:
    return session.scalar(
        select(RequestRow).where(RequestRow.request_id == request_id, RequestRow.owner == owner)
    )


def _known(session: Session, request_id: str, owner: str) -> RequestRow:
    row = _find(session, request_id, owner)
    if row is None:
        raise RequestUnknown(f"no answered request '{request_id[:64]}' is known")
    return row


def _open(session: Session, request_id: str, owner: str) -> RequestRow:
    row = _known(session, request_id, owner)
    if row.reused:
        raise RequestReused(
            f"the id '{request_id[:64]}' was used for more than one request, and what was said"
            " about the first is not changed; what is kept under it can be deleted"
        )
    return row


def _doomed(session: Session, *conditions: ColumnElement[bool]) -> list[Doomed]:
    query = (
        select(RequestRow.id, PictureRow.name)
        .select_from(RequestRow)
        .outerjoin(RequestRow.verdict)
        .outerjoin(VerdictRow.picture)
        .where(*conditions)
    )
    return [Doomed(row[0], row[1]) for row in session.execute(query)]


def _count(session: Session, deletion: Delete) -> int:
    """How many rows a deletion removes."""
    # It gives a cursor's result, which counts; the type does not say so.
    count: int = session.execute(deletion).rowcount  # type: ignore[attr-defined]
    return count


def _narrow(
    query: Select[VerdictRow],
    verdict: Verdict | None,
    models: Collection[str] | None,
    since: datetime | None,
) -> Select[VerdictRow]:
    if verdict is not None:
        query = query.where(VerdictRow.verdict == verdict.value)
    if models is not None:
        query = query.where(RequestRow.model.in_(models))
    if since is not None:
        query = query.where(VerdictRow.created >= since)
    return query


def _given(row: VerdictRow) -> Given:
    request = row.request
    return Given(
        id=row.id,
        created=row.created,
        request=Request(
            request_id=request.request_id,
            owner=request.owner,
            model=request.model,
            model_version=request.model_version,
            scale=request.scale,
            width=request.width,
            height=request.height,
            consistency_db=request.consistency_db,
            statistics=request.statistics,
            created=request.created,
        ),
        opinion=Opinion(
            verdict=Verdict(row.verdict),
            reasons=tuple(Reason(reason) for reason in row.reasons),
            comment=row.comment,
            keep_picture=row.keep_picture,
        ),
        picture=row.picture.name if row.picture is not None else None,
        picture_bytes=row.picture.bytes if row.picture is not None else 0,
    )
