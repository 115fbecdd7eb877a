"""What the database holds of answered requests and of what people said about them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Moment(TypeDecorator[datetime]):
    """A time with its zone, in UTC; SQLite, which knows no zones, stores the plain UTC time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without its zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables of one database; the names of constraints are fixed, so migrations find them."""

    # Which of the two a plain float becomes differs between versions of SQLAlchemy.
    type_annotation_map: ClassVar[dict[type, Any]] = {float: Double}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class IdentityRow(Base):
    """The one row by which this database is told from others: random, made with the tables.

    Names of pictures begin with it, so that services with databases of their own may keep them in
    one place.
    """

    __tablename__ = "identity"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)


class RequestRow(Base):
    """A picture request that was answered. No picture, no file name, no address."""

    __tablename__ = "requests"
    __table_args__ = (UniqueConstraint("owner", "request_id"), Index(None, "request_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    request_id: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(128))
    created: Mapped[datetime] = mapped_column(Moment, index=True)
    model: Mapped[str] = mapped_column(String(200))
    model_version: Mapped[str] = mapped_column(String(200))
    scale: Mapped[float]
    width: Mapped[int]
    height: Mapped[int]
    consistency_db: Mapped[float | None]
    statistics: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Once there was a verdict, another request came with the same id: whose the next one is,
    # nobody can tell.
    reused: Mapped[bool] = mapped_column(default=False)

    verdict: Mapped[VerdictRow | None] = relationship(
        back_populates="request", cascade="all, delete-orphan", passive_deletes=True
    )


class VerdictRow(Base):
    """What somebody thought of an answer; one a request, the latest counts."""

    __tablename__ = "verdicts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    request_pk: Mapped[int] = mapped_column(
        ForeignKey("requests.id", ondelete="CASCADE"), unique=True
    )
    created: Mapped[datetime] = mapped_column(Moment, index=True)
    verdict: Mapped[str] = mapped_column(String(8))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    comment: Mapped[str] = mapped_column(Text)
    keep_picture: Mapped[bool]

    request: Mapped[RequestRow] = relationship(back_populates="verdict")
    picture: Mapped[PictureRow | None] = relationship(
        back_populates="verdict", cascade="all, delete-orphan", passive_deletes=True
    )


class PictureRow(Base):
    """A picture kept because its owner agreed; the file itself is in the storage as ``name``."""

    __tablename__ = "pictures"

    id: Mapped[int] = mapped_column(primary_key=True)
    verdict_id: Mapped[str] = mapped_column(
        ForeignKey("verdicts.id", ondelete="CASCADE"), unique=True
    )
    name: Mapped[str] = mapped_column(String(128), unique=True)
    media_type: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int]
    created: Mapped[datetime] = mapped_column(Moment, index=True)

    verdict: Mapped[VerdictRow] = relationship(back_populates="picture")
