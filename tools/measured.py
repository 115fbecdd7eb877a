"""What is kept beside figures: how busy the machine was, and which weights they are of.

Tools that time something begin with :func:`idle`. Pages say by :func:`busy` and :func:`earlier`
what is wrong with figures that are shown all the same.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

# What the machine does while nobody uses it, and no more.
LIMIT = 0.7


def parser(doc: str | None) -> argparse.ArgumentParser:
    """A parser for a tool that times something, with the option that :func:`idle` asks for."""
    made = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    made.add_argument("--busy", action="store_true", help="measure on a busy machine all the same")
    return made


def idle(is_busy_allowed: bool = False) -> float:
    """The load average of the last minute; ends the program where it is above ``LIMIT``."""
    load = round(os.getloadavg()[0], 2)
    if load > LIMIT and not is_busy_allowed:
        raise SystemExit(
            f"the load average of this machine is {load}, above {LIMIT}: other work would be "
            "measured too; wait for it to end, or give --busy (make: BUSY=--busy)"
        )
    return load


def busy(load: float | None) -> str:
    """A sentence where the machine had other work to do; "" where not, or where nobody looked."""
    if load is None or load <= LIMIT:
        return ""
    return f"The machine was busy when this was measured: a load average of {load:g} before."


def weights(*names: str) -> dict[str, str]:
    """sha256 of the int8 weights that ship under these names; a name that has none is left out."""
    from hyperfocal.models.card import ModelCard
    from hyperfocal.models.registry import SHIPPED

    found = {}
    for name in names:
        path = SHIPPED / f"{name}.toml"
        card = ModelCard.read(path) if path.is_file() else None
        if card is not None and "int8" in card.weights:
            found[name] = card.weights["int8"].sha256
    return found


def earlier(kept: Mapping[str, str | None]) -> str:
    """A sentence where figures are of other weights than ship now.

    ``kept``: what :func:`weights` gave when they were measured; a model without a digest counts as
    another. "" where all are the same.
    """
    today = weights(*kept)
    other = sorted(name for name, digest in kept.items() if digest != today.get(name))
    if not other:
        return ""
    return f"Measured with other weights of {' and '.join(other)} than ship now."


def below(table: str, *notes: str) -> str:
    """A table in Markdown with the sentences there are below it; "" without a table."""
    told = " ".join(filter(None, notes))
    return f"{table}\n\n{told}" if table and told else table


def measure_and_keep(
    about: str,
    figures: Path,
    measured: Callable[[Sequence[str], Sequence[str]], dict[str, Any]],
    written: Callable[[dict[str, Any]], str],
) -> None:
    """The command of a tool: measure, print, and keep where that is asked for.

    ``about``: the tool's docstring; ``measured``: the figures of models by name and of commits;
    ``written``: their table.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--from-commit", action="append", default=[], metavar="COMMIT")
    parser.add_argument("--keep", action="store_true", help=f"write {figures.name}, too")
    given = parser.parse_args()
    found = measured(given.models, given.from_commit)
    print(written(found))
    if given.keep:
        figures.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def kept_table(figures: Path, written: Callable[[dict[str, Any]], str]) -> str:
    """The figures that are kept as Markdown, and what is wrong with them."""
    found = json.loads(figures.read_text(encoding="utf-8"))
    today = {m["model"]: m["weights"] for m in found["models"] if not m["commit"]}
    return below(written(found), earlier(today))
