"""The program: its verbs, and what becomes of their errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
    say,
    send,
    serve,
    train,
    upscale,
    web,
)
from hyperfocal.cli.outcome import Batch, Failure, cancelled
from hyperfocal.errors import HyperfocalError, UsageError

_HELP = "Restore low-quality photographs to high resolution."


# Click's own, of which typer has a copy; in every version what it exports is derived from it.
_ParserError: Any = typer.BadParameter.__bases__[0]
# Their document is that of a batch, whatever ended it.
_BATCHES = ("upscale", "send")


class _Verbs(TyperGroup):
    """Turns the errors of every verb into a sentence, an exit code, and the document asked for."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        # What cannot be parsed is not known to be an option: the words themselves have to do.
        as_json = "--json" in _options(args)
        with _parsing(as_json, None):
            ctx = super().make_context(info_name, args, parent, **extra)
        ctx.obj = as_json
        return ctx

    def invoke(self, ctx: Any) -> Any:
        try:
            with _parsing(ctx.obj, ctx):
                return super().invoke(ctx)
        except HyperfocalError as problem:
            say.error(str(problem))
            failure = Failure.of(problem)
        except PermissionError as refused:
            text = f"{refused.filename or 'something'}: may not be read or written"
            say.error(text)
            failure = Failure("system", text, HyperfocalError.exit_code)
        except BrokenPipeError:
            # Who reads what is printed has had enough; typer ends for that without a word.
            raise
        except OSError as failed:
            # No space, a file where a folder should be: nothing that a traceback makes clearer.
            named = f"{failed.filename}: " if failed.filename else ""
            text = f"{named}{failed.strerror or failed}"
            say.error(text)
            failure = Failure("system", text, HyperfocalError.exit_code)
        except KeyboardInterrupt:
            say.error("stopped")
            failure = cancelled()
        _document(ctx.obj, failure, ctx)
        raise typer.Exit(failure.exit_code)


@contextlib.contextmanager
def _parsing(as_json: bool, ctx: Any) -> Iterator[None]:
    """While inside, what the parser refuses is also told in a document where one is wanted."""
    try:
        yield
    except _ParserError as refused:  # typer says it to people
        _document(as_json, Failure(UsageError.code, refused.format_message()), ctx)
        raise


def _document(as_json: bool, failure: Failure, ctx: Any) -> None:
    """No verb fails after it has printed its own document."""
    if not as_json:
        return
    if ctx is not None and ctx.invoked_subcommand in _BATCHES:
        content = Batch((), 0, 0.0, failure).to_dict()
    else:
        content = {"error": {"code": failure.code, "message": failure.message}}
    with contextlib.suppress(OSError):  # a full disk, say, which is what failed
        say.document(content)


def _options(args: Sequence[str]) -> Sequence[str]:
    """Those before ``--``, behind which everything is a name."""
    return args[: args.index("--")] if "--" in args else args


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
