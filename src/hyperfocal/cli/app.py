"""The program: its verbs, and what becomes of their errors."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from hyperfocal.cli import (
    bench,
    compare,
    doctor,
    evaluate,
    feedback,
    inspect,
    models,
    retrain,
    send,
    serve,
    train,
    upscale,
    web,
)
from hyperfocal.cli.say import error as say_error
from hyperfocal.errors import Cancelled, HyperfocalError

_HELP = "Restore low-quality photographs to high resolution."


class _Verbs(TyperGroup):
    """Turns the errors of every verb into a sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except HyperfocalError as problem:
            say_error(str(problem))
            raise typer.Exit(problem.exit_code) from problem
        except PermissionError as refused:
            say_error(f"{refused.filename or 'something'}: may not be read or written")
            raise typer.Exit(HyperfocalError.exit_code) from refused
        except BrokenPipeError:
            # Who reads what is printed has had enough; typer ends for that without a word.
            raise
        except OSError as failed:
            # No space, a file where a folder should be: nothing that a traceback makes clearer.
            named = f"{failed.filename}: " if failed.filename else ""
            say_error(f"{named}{failed.strerror or failed}")
            raise typer.Exit(HyperfocalError.exit_code) from failed
        except KeyboardInterrupt as stopped:
            say_error("stopped")
            raise typer.Exit(Cancelled.exit_code) from stopped


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"hyperfocal {version('hyperfocal')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False,
        "--version",
        help="Print the version and exit.",
        callback=_print_version,
        is_eager=True,
    ),
) -> None:
    """Options that stand before the verb."""


def build() -> typer.Typer:
    """The program with all its verbs."""
    app = typer.Typer(
        name="hyperfocal",
        cls=_Verbs,
        help=_HELP,
        no_args_is_help=True,
        # Plain help: rich would have to be imported for it, and takes longer than all the rest.
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    app.command("upscale")(upscale.upscale)
    app.command("inspect")(inspect.inspect)
    app.command("compare")(compare.compare)
    app.add_typer(models.app(), name="models")
    app.command("evaluate")(evaluate.evaluate)
    app.command("bench")(bench.bench)
    app.add_typer(train.app(), name="train")
    app.command("retrain")(retrain.retrain)
    app.add_typer(serve.app(), name="serve")
    app.command("web")(web.web)
    app.command("send")(send.send)
    app.add_typer(feedback.app(), name="feedback")
    app.command("doctor")(doctor.doctor)
    return app
