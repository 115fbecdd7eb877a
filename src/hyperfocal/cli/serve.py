"""``hyperfocal serve``: the service over HTTP, and its keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON
from hyperfocal.errors import UsageError

if TYPE_CHECKING:
    from hyperfocal.server.settings import ServerSettings

_FILE = typer.Option(
    None, "--keys", metavar="FILE", help="File of hashed keys; left out: the setting, or its place."
)
_NAME = typer.Argument(..., metavar="NAME", help="Whom the key is for.", show_default=False)


def app() -> typer.Typer:
    """``serve`` and the verbs below it."""
    verbs = typer.Typer(
        help="Serve over HTTP; settings are read from HYPERFOCAL_SERVER_*.",
        rich_markup_mode=None,
        invoke_without_command=True,
    )
    verbs.callback()(serve)
    keys = typer.Typer(
        help="Make, list and revoke API keys.", no_args_is_help=True, rich_markup_mode=None
    )
    keys.command("add")(add)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    verbs.add_typer(keys, name="keys")
    verbs.command("settings")(show_settings)
    return verbs


def serve(
    context: typer.Context,
    host: str | None = typer.Option(None, "--host", help="Address to listen on: 127.0.0.1."),
    port: int | None = typer.Option(None, "--port", help="Port to listen on; 0: a free one."),
    workers: int | None = typer.Option(None, "--workers", help="Worker processes; 0: by cores."),
    threads: int | None = typer.Option(None, "--threads", help="Threads of each; 0: by cores."),
    models: str | None = typer.Option(None, "--models", help="To load first, with commas."),
    data: Path | None = typer.Option(None, "--data", help="Folder of what is kept."),
    keys: Path | None = typer.Option(None, "--keys", help="File of hashed API keys."),
    production: bool | None = typer.Option(
        None, "--production/--no-production", help="Refuse to start with unsafe settings."
    ),
    log_level: str | None = typer.Option(None, "--log-level", help="debug, info, warning, error."),
) -> None:
    """Serve over HTTP until SIGTERM or Ctrl-C; what is in progress is finished then."""
    if context.invoked_subcommand is not None:
        return
    settings = _settings(
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        models=models,
        data=data,
        keys=keys,
        production=production,
        log_level=log_level,
    )
    from hyperfocal.server import logs
    from hyperfocal.server.app import create_app
    from hyperfocal.server.http_server import serve as listen

    application = create_app(settings)
    logs.configure(settings.log_level)
    # On stdout, so that a program that asked for port 0 can read where the service is.
    listen(application, settings, typer.echo)


def add(
    name: str = _NAME,
    admin: bool = typer.Option(False, "--admin", help="May also change models and see metrics."),
    file: Path | None = _FILE,
    as_json: bool = JSON,
) -> None:
    """Make an API key; it is shown this once."""
    from hyperfocal.server.security.keys import add_key

    path = _file(file)
    key, text = add_key(path, name, ("use", "admin") if admin else ("use",))
    if as_json:
        say.document({"id": key.id, "name": key.name, "scopes": list(key.scopes), "key": text})
    else:
        typer.echo(text)
        say.line(f"{path}: added {name} ({', '.join(key.scopes)}); the key is not shown again")


def list_keys(file: Path | None = _FILE, as_json: bool = JSON) -> None:
    """List the keys, of which only hashes are known."""
    from hyperfocal.server.security.keys import read_keys

    keys = read_keys(_file(file))
    if as_json:
        entries = [
            {"id": key.id, "name": key.name, "scopes": list(key.scopes), "created": key.created}
            for key in keys
        ]
        say.document({"keys": entries})
    elif keys:
        rows = [("name", "id", "scopes", "created")]
        rows.extend((key.name, key.id, " ".join(key.scopes), key.created) for key in keys)
        say.table(rows)
    else:
        say.line("there are no keys")


def revoke(name: str = _NAME, file: Path | None = _FILE) -> None:
    """Make a key void, by its name or id; a running service notices at once."""
    from hyperfocal.server.security.keys import revoke_key

    key = revoke_key(_file(file), name)
    say.line(f"{key.name} ({key.id}) is no longer good")


def show_settings(as_json: bool = JSON) -> None:
    """Show the settings as the service would read them now, but no secret and no password."""
    from hyperfocal.storage import without_password

    settings = _settings()
    values = settings.model_dump(mode="json")
    values["secret"] = "set" if settings.secret else ""
    for name in ("database", "results", "pictures"):
        values[name] = without_password(values[name])
    if as_json:
        say.document(values)
    else:
        say.facts((name, _shown(value)) for name, value in values.items())


def _settings(**given: object) -> ServerSettings:
    from hyperfocal.server.settings import ServerSettings

    return ServerSettings.read(
        None, **{name: value for name, value in given.items() if value is not None}
    )


def _file(given: Path | None) -> Path:
    """The file of keys that is meant."""
    settings = _settings()
    path = given or settings.keys or settings.data / "keys"
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file")
    return path


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(one) for one in value)
    return "" if value is None else str(value)
