"""``hyperfocal feedback``: what people said about results, at the service's own database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON
from hyperfocal.errors import HyperfocalError, InputMissing, OutputRefused, UsageError
from hyperfocal.text import check_text

if TYPE_CHECKING:
    from hyperfocal.feedback import Verdict
    from hyperfocal.server.settings import ServerSettings
    from hyperfocal.server.store import Store

_DATABASE = typer.Option(
    None,
    "--database",
    help="URL of the service's database; left out, that of its settings.",
    metavar="URL",
)
_DATA = typer.Option(
    None,
    "--data",
    help="The service's data folder, as serve has it; left out, that of its settings, or the folder"
    " of the SQLite file that --database names.",
    metavar="DIR",
)
_VERDICT = typer.Option(None, "--verdict", help="Only these: up or down.", metavar="VERDICT")
_MODEL = typer.Option(None, "--model", help="Only those about this model.", metavar="NAME")
_SINCE = typer.Option(
    None, "--since", help="Only those since this day or time (UTC).", metavar="2026-01-31"
)

# What databases can count to.
_MOST = 2**63 - 1


def app() -> typer.Typer:
    """The verbs below ``feedback``."""
    verbs = typer.Typer(
        help="List, export, count and delete verdicts on results.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    verbs.command("list")(list_verdicts)
    verbs.command("export")(export)
    verbs.command("stats")(stats)
    verbs.command("delete")(delete)
    return verbs


def list_verdicts(
    verdict: str | None = _VERDICT,
    model: str | None = _MODEL,
    since: str | None = _SINCE,
    limit: int = typer.Option(50, "--limit", min=1, help="At most so many, the newest first."),
    database: str | None = _DATABASE,
    data: Path | None = _DATA,
    as_json: bool = JSON,
) -> None:
    """List verdicts, the newest first."""
    from hyperfocal.feedback import book

    wanted, moment = _verdict(verdict), _moment(since)
    check_text({"--model": model})
    with _store(database, data) as (store, _):
        models = _models(store, model)
        found = store.reading(
            lambda session: list(
                book.find(
                    session, verdict=wanted, models=models, since=moment, limit=min(limit, _MOST)
                )
            )
        )
    if as_json:
        say.document({"verdicts": [one.to_dict() for one in found]})
        return
    if not found:
        say.line("no verdicts")
        return
    rows = [("given", "verdict", "request", "model", "reasons", "picture", "comment")]
    for one in found:
        reasons = " ".join(reason.value for reason in one.opinion.reasons)
        given = one.created.strftime("%Y-%m-%d %H:%M")
        kept = "kept" if one.picture else ""
        # One line, and no control characters that a terminal would obey.
        comment = "".join(c if c.isprintable() else " " for c in one.opinion.comment)[:60]
        rows.append(
            (
                given,
                one.opinion.verdict.value,
                one.request.request_id,
                one.request.model,
                reasons,
                kept,
                comment,
            )
        )
    say.table(rows)


def export(
    output: Path | None = typer.Option(
        None, "-o", "--output", help="File to write; left out, stdout.", metavar="FILE.jsonl"
    ),
    pictures: Path | None = typer.Option(
        None,
        "--pictures",
        help="Also copy the pictures kept with consent into this folder, and remove from it what"
        " earlier exports put there and is not kept any more.",
        metavar="DIR",
    ),
    verdict: str | None = _VERDICT,
    model: str | None = _MODEL,
    since: str | None = _SINCE,
    database: str | None = _DATABASE,
    data: Path | None = _DATA,
) -> None:
    """Write verdicts as JSON lines, one a verdict, the newest first."""
    from hyperfocal.feedback import book, remove_withdrawn, write_lines
    from hyperfocal.imaging.atomic import write_file

    wanted, moment = _verdict(verdict), _moment(since)
    check_text({"--model": model})
    if pictures is not None:
        try:
            pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputRefused(f"{pictures}: {error.strerror}") from error
    with _store(database, data) as (store, settings):
        models = _models(store, model)
        missing: list[str] = []
        # What is kept there is not removed by being exported.
        is_storage = pictures is not None and _is_same(pictures, store.pictures.folder)

        def write(file: BinaryIO) -> int:
            return write_lines(
                store.verdicts(verdict=wanted, models=models, since=moment),
                file,
                pictures=None if is_storage else pictures,
                storage=store.pictures,
                missing=missing,
            )

        lines = 0

        def fill(file: BinaryIO) -> None:
            nonlocal lines
            lines = write(file)

        try:
            if output is None:
                write(typer.get_binary_stream("stdout"))
            else:
                write_file(output, fill)
                say.line(f"{lines} verdicts written to {output}")
        finally:
            # Whatever became of the lines, and at the end: consent may end meanwhile.
            if pictures is not None and not is_storage:
                gone = remove_withdrawn(
                    pictures, store.id, lambda: store.reading(book.picture_names)
                )
                if gone:
                    say.line(f"{gone} pictures that are not kept any more removed")
        # Those withdrawn while it ran are gone as they should be.
        lost = set(missing) & store.reading(book.picture_names) if missing else set()
        if lost:
            say.error(
                f"{len(lost)} pictures kept with consent are not in {_place(settings)} and null in"
                " their lines; if the service keeps them elsewhere, name its folder (--data DIR)"
            )


def stats(
    since: str | None = _SINCE,
    database: str | None = _DATABASE,
    data: Path | None = _DATA,
    as_json: bool = JSON,
) -> None:
    """Count verdicts: in all, by version of a model and by reason."""
    from hyperfocal.feedback import book, count

    moment = _moment(since)
    with _store(database, data) as (store, _):
        found = store.reading(
            lambda session: count(
                book.find(session, since=moment), requests=book.count_requests(session, moment)
            )
        )
    if as_json:
        say.document(found.to_dict())
        return
    rows = [("model", "version", "up", "down", "approval", "consistency")]
    for tally in (*found.models, found.overall):
        approval = "" if tally.approval is None else f"{tally.approval:.0%}"
        decibels = "" if tally.consistency_db is None else f"{tally.consistency_db:.1f} dB"
        counts = (str(tally.up), str(tally.down))
        rows.append((tally.name, tally.version, *counts, approval, decibels))
    say.table(rows, right=(2, 3, 4, 5))
    say.facts(
        [
            ("answered requests", str(found.requests)),
            ("pictures kept", f"{found.pictures} ({found.picture_bytes / 1e6:.1f} MB)"),
            *((f"reason {name}", str(number)) for name, number in found.reasons.items()),
        ]
    )


def delete(
    request_ids: list[str] = typer.Argument(
        ..., metavar="REQUEST...", help="Ids of requests.", show_default=False
    ),
    database: str | None = _DATABASE,
    data: Path | None = _DATA,
    as_json: bool = JSON,
) -> None:
    """Delete all that is kept about requests: verdict, picture, figures, jobs and their files."""
    from dataclasses import asdict

    from hyperfocal.feedback import book, not_found
    from hyperfocal.server.store import forget

    for request_id in request_ids:
        check_text({"the id": request_id})
    gone: list[dict[str, object]] = []
    unknown: list[str] = []
    lost: list[str] = []
    stopped: HyperfocalError | None = None
    with _store(database, data) as (store, settings):
        # One that is named twice would be unknown the second time.
        for request_id in dict.fromkeys(request_ids):
            try:
                doomed = store.reading(book.of_request, request_id)
                named = [one.picture for one in doomed if one.picture is not None]
                # Before they are deleted: afterwards it cannot be told any more.
                absent = not_found(named, store.pictures)
                removed = asdict(forget(store, settings, request_id))
            except HyperfocalError as error:
                if not gone:
                    raise
                stopped = error
                break
            removed["pictures"] = max(removed["pictures"] - len(absent), 0)
            lost += absent
            if any(removed.values()):
                gone.append({"request_id": request_id, **removed})
            else:
                unknown.append(request_id)
    if unknown and not gone:
        raise InputMissing("; ".join(map(_unknown, unknown)))
    # What was deleted is gone for good, and is told whatever else was asked for.
    if as_json:
        failure = None if stopped is None else {"code": stopped.code, "message": str(stopped)}
        told = {"deleted": gone, "unknown": unknown, "not_found": lost, "stopped": failure}
        say.document(told)
    else:
        what = "what was found" if lost else "everything"
        say.line(f"deleted {what} about {len(gone)} requests")
    for name in lost:
        say.error(
            f"the picture {name} was not in {_place(settings)}: if the service keeps its pictures"
            " elsewhere, it is there still; delete it by hand"
        )
    for request_id in unknown:
        say.error(_unknown(request_id))
    if stopped is not None:
        say.error(str(stopped))
        raise typer.Exit(stopped.exit_code)
    if unknown or lost:
        raise typer.Exit(InputMissing.exit_code)


def _unknown(request_id: str) -> str:
    return f"no request '{request_id}' is known"


@contextmanager
def _store(database: str | None, data: Path | None) -> Iterator[tuple[Store, ServerSettings]]:
    """The service's store, which must exist: to look must not make one."""
    from hyperfocal.server.store import Store, sqlite_file

    settings = _settings(database, data)
    file = sqlite_file(settings.database_url)
    if file is not None and not file.exists():
        raise InputMissing(f"{file}: there is no database; has the service run yet?")
    store = Store.open(settings, as_it_is=True)
    try:
        yield store, settings
    finally:
        store.close()


def _settings(database: str | None, data: Path | None) -> ServerSettings:
    """Those of the service, with the database and the data folder that are named.

    Of another SQLite file than that of the settings pictures and results are looked for beside it,
    unless the settings say where they are: in the folder of another service there are none of them.
    """
    from hyperfocal.server.settings import ServerSettings
    from hyperfocal.server.store import sqlite_file

    own = ServerSettings.read(None, **({"data": data} if data else {}))
    if not database or database == own.database_url:
        return own
    file = sqlite_file(database)
    folder = file.absolute().parent if data is None and file is not None else own.data
    return ServerSettings.read(None, database=database, data=folder)


def _place(settings: ServerSettings) -> str:
    """Where the pictures are looked for, to be shown."""
    from hyperfocal.storage import without_password

    return without_password(settings.pictures_url)


def _models(store: Store, name: str | None) -> list[str] | None:
    """What a model, a family or an alias means among what was judged; None: everything.

    A name that is none of them is told: a slip would look like silence.
    """
    if name is None:
        return None
    from hyperfocal.feedback import book
    from hyperfocal.models.aliasing import is_model, resolve
    from hyperfocal.models.automatic import AUTOMATIC
    from hyperfocal.settings import Settings

    settings = Settings.read()
    target = resolve(name, settings)
    meant = re.compile(rf"{re.escape(target)}(-x\d+)?")
    # Models that ran one after another are joined.
    judged = store.reading(book.judged_models)
    found = [
        model for model in judged if model == name or all(map(meant.fullmatch, model.split("+")))
    ]
    if not found and target in AUTOMATIC:
        families = AUTOMATIC[target]
        say.error(
            f"'{name}' is no model, and verdicts are about the one that the picture led to: "
            f"name {families.photo} or {families.restore}"
        )
    elif not found and not is_model(target, settings):
        say.error(f"no verdict is about '{name}', and there is no model of that name")
    return found


def _is_same(folder: Path, other: Path | None) -> bool:
    return other is not None and other.exists() and folder.samefile(other)


def _verdict(text: str | None) -> Verdict | None:
    from hyperfocal.feedback import Verdict

    try:
        return None if text is None else Verdict(text)
    except ValueError as error:
        raise UsageError(f"--verdict is up or down, not '{text}'") from error


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since: '{text}' is no day such as 2026-01-31") from error
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise UsageError(f"--since: '{text}' is beyond the years 1 to 9999") from error
