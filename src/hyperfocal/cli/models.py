"""``hyperfocal models``: what models there are."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal.cli import say
from hyperfocal.cli.choices import JSON, read_settings
from hyperfocal.errors import ModelBroken, ModelMissing

if TYPE_CHECKING:
    from hyperfocal.models import ModelCard

_NAME = typer.Argument(..., metavar="NAME", help="Name of a model.", show_default=False)


def app() -> typer.Typer:
    """The verbs below ``models``."""
    verbs = typer.Typer(
        help="List, show, verify, import and alias models.",
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    verbs.command("list")(list_models)
    verbs.command("show")(show)
    verbs.command("verify")(verify)
    verbs.command("import")(import_model)
    verbs.command("alias")(alias)
    verbs.command("unalias")(unalias)
    return verbs


def list_models(
    pattern: str = typer.Argument("*", metavar="[PATTERN]", help="Such as 'photo-*-x2'."),
    as_json: bool = JSON,
) -> None:
    """List the models whose name matches a wildcard."""
    from hyperfocal import models

    settings = read_settings()
    cards = models.list(pattern, settings=settings)
    aliases = {
        name: model
        for name, model in models.aliases(settings).items()
        if fnmatch.fnmatchcase(name, pattern)
    }
    if as_json:
        say.document({"models": [_plain(card) for card in cards], "aliases": aliases})
    elif cards or aliases:
        rows = [("name", "scale", "weights", "licence", "purpose")]
        for card in cards:
            weights = " ".join(sorted(card.weights)) or card.kind
            rows.append((card.name, f"x{card.scale}", weights, card.licence, card.purpose))
        rows.extend((name, "", "alias", "", f"stands for {aliases[name]}") for name in aliases)
        say.table(rows)
    else:
        say.line(f"no model matches '{pattern}'")


def show(name: str = _NAME, as_json: bool = JSON) -> None:
    """Show the card of a model."""
    from hyperfocal import models

    card = models.show(name, settings=read_settings())
    if as_json:
        say.document(_plain(card))
    else:
        typer.echo(card.to_toml().rstrip())


def verify(
    pattern: str = typer.Argument(
        "*", metavar="[PATTERN]", help="Such as 'photo-*-x2'; a family or an alias, too."
    ),
    as_json: bool = JSON,
) -> None:
    """Check that weights are what their cards say."""
    from hyperfocal import models

    verdicts = models.verify(pattern, settings=read_settings())
    if not verdicts:
        raise ModelMissing(f"no model matches '{pattern}'; see 'hyperfocal models list'")
    if as_json:
        say.document({"verdicts": [verdict._asdict() for verdict in verdicts]})
    else:
        for verdict in verdicts:
            name = f"{verdict.name} {verdict.precision}".rstrip()
            typer.echo(f"{'ok' if verdict.ok else 'BAD'}  {name}: {verdict.reason}")
    if not all(verdict.ok for verdict in verdicts):
        raise typer.Exit(ModelBroken.exit_code)


def import_model(
    file: Path = typer.Argument(
        ...,
        metavar="FILE",
        help="A network (.onnx), or the card (.toml) of a model with its weights beside it.",
        show_default=False,
    ),
    name: str | None = typer.Option(
        None, "--name", help="Its name here; left out, that of the file."
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Replace a model of that name, unless an alias stands for it."
    ),
    as_json: bool = JSON,
) -> None:
    """Take in an ONNX model, whose card is made by running it, or one that has a card.

    What a card says of its network is checked by running that, too. This takes seconds, with a
    large network, or one in several precisions, a minute or more.
    """
    from hyperfocal import models

    settings = read_settings()
    take = models.import_card if file.suffix == ".toml" else models.import_onnx
    # To stderr, in JSON too: nothing else is seen until it ends.
    say.line(f"running {say.in_a_row(str(file))} to examine it; this may take a minute or more")
    card = take(file, name=name, settings=settings, overwrite=overwrite)
    if as_json:
        say.document(_plain(card))
    else:
        typer.echo(f"{card.name} is in {settings.models}; use it with -m {card.name}")


def alias(
    name: str = typer.Argument(
        ..., metavar="ALIAS", help="Such as champion-x2.", show_default=False
    ),
    model: str = typer.Argument(
        ..., metavar="MODEL", help="A model or a family.", show_default=False
    ),
) -> None:
    """Let a name stand for a model; a service that has loaded the name changes over."""
    from hyperfocal import models

    settings = read_settings()
    before = models.aliases(settings).get(name)
    moved = before not in (None, model)
    models.set_alias(name, model, settings=settings)
    typer.echo(f"{name} stands for {model}" + (f", no longer for {before}" if moved else ""))


def unalias(
    name: str = typer.Argument(..., metavar="ALIAS", help="An alias.", show_default=False),
) -> None:
    """Forget an alias."""
    from hyperfocal import models

    models.remove_alias(name, settings=read_settings())
    typer.echo(f"{name} is no alias any more")


def _plain(card: ModelCard) -> dict[str, object]:
    return card.model_dump(mode="json")
