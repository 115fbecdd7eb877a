"""The generated parts of docs/training.md: every key of an experiment, and what Depth Pro costs."""

from __future__ import annotations

import dataclasses
import inspect
import json
import textwrap
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic_core import PydanticUndefined
from readme_figures import ROOT, between, markdown

_PEERS = Path(__file__).parent / "peers.toml"
_COST = ROOT / "benchmarks" / "depthpro.json"
_PARTS = ROOT / "benchmarks" / "depthpro-parts.json"


def filled(page: str) -> str:
    """The page's text with both parts as they should be."""
    return between(between(page, "depthpro", _cost()), "experiment", _keys())


def _keys() -> str:
    from hyperfocal.training.experiment import Experiment

    parts: list[str] = []
    for name, field in Experiment.model_fields.items():
        section = _section(field.annotation)
        if section is not None and hasattr(section, "model_fields"):
            parts += [f"### [{name}]", "", _prose(section), "", _table(section), ""]
    top = [
        "### At the top",
        "",
        _prose(Experiment),
        "",
        _table(Experiment),
        "",
    ]
    return "\n".join(top + parts).strip()


def _prose(section: type) -> str:
    return (inspect.getdoc(section) or "").replace("``", "`")


def _section(annotation: Any) -> Any:
    """The class of a section, also of one that may be left out."""
    for kind in (annotation, *get_args(annotation)):
        if inspect.isclass(kind) and kind.__name__.endswith("Section"):
            return kind
    return None


def _table(section: Any) -> str:
    rows = [["key", "default"]]
    for name, field in section.model_fields.items():
        if not _is_table(field.annotation):
            rows.append([f"`{name}`", _default(field)])
    return markdown(rows, "--")


def _is_table(annotation: Any) -> bool:
    """Whether a key stands for a table of others; the tables are shown apart."""
    kinds = (annotation, *get_args(annotation))
    return any(dataclasses.is_dataclass(k) or hasattr(k, "model_fields") for k in kinds)


def _default(field: Any) -> str:
    if field.default_factory is not None or field.default is None or field.default == "":
        return ""
    if field.default is PydanticUndefined:
        return "to be given"
    return f"`{json.dumps(field.default)}`"


def _cost() -> str:
    if not _COST.is_file():
        return ""
    published = tomllib.loads(_PEERS.read_text(encoding="utf-8"))["depthpro"]
    rows = [["", "M parameters", "GMACs", "seconds", "pictures/s", "MB"]]
    measured = json.loads(_COST.read_text(encoding="utf-8"))
    for row in measured:
        rows.append(
            [
                f"here, {row['form']}",
                f"{row['parameters'] / 1e6:.1f}",
                "" if row["gmacs"] is None else f"{row['gmacs']:.0f}",
                f"{row['ms'] / 1e3:.1f}",
                f"{1e3 / row['ms']:.2f}",
                f"{row['peak_mb']:.0f}",
            ]
        )
    for form in published["form"]:
        shown = [form.get(key) for key in ("parameters", "gmacs", "seconds", "rate", "mb")]
        rows.append([form["name"], *("" if value is None else f"{value:g}" for value in shown)])
    table = markdown(rows, "-#####")
    counted = json.loads(_PARTS.read_text(encoding="utf-8"))
    note = textwrap.fill(" ".join(published["note"].format(**counted).split()), 100)
    return "\n\n".join([table, _runs(measured), note, _parts(published, counted["parameters"])])


def _runs(measured: list[dict[str, Any]]) -> str:
    """How often was measured and on what, and whether the memory is that of the form alone."""
    runs = min(row["runs"] for row in measured)
    threads = " or ".join(str(count) for count in sorted({row["threads"] for row in measured}))
    times = "from a single run each" if runs == 1 else f"medians of {runs} runs"
    names = sorted({row["processor"] or "a processor whose name was not kept" for row in measured})
    text = f"The times here are {times}, on {threads} threads of {' or '.join(names)}."
    if not all(row["made_apart"] for row in measured if "int8" in row["form"]):
        text += (
            " The process that measured int8 built the float net first: its memory is that of the "
            "float net, and cannot show what int8 saves."
        )
    return textwrap.fill(text, 100)


def _parts(published: dict[str, Any], counted: dict[str, int]) -> str:
    """Where the parameters are, and where those of other counts may be; in millions."""
    here = {name: count for name, count in counted.items() if not name.startswith("absent_")}
    view, fusion = counted["absent_field_of_view"], counted["absent_fusion"]
    depth_head = counted["absent_depth_head"]
    bare = sum(here.values()) - here["head"] + fusion + depth_head
    figures = {name: f"{count / 1e6:.1f}" for name, count in counted.items()}
    text = (
        f"Of the {sum(here.values()) / 1e6:.1f} M parameters here {figures['encoders']} M are in "
        f"the two ViTs, {figures['neck']} M in the maps made of their features and "
        f"{figures['head']} M in the head. Depth Pro with ViTs of this size has, in place of this "
        f"head, a fusion stage of {figures['absent_fusion']} M and a depth head of "
        f"{figures['absent_depth_head']} M: {bare / 1e6:.1f} M; and with its field-of-view "
        f"encoder ({figures['absent_field_of_view']} M), which super-resolution never reads, "
        f"{(bare + view) / 1e6:.1f} M. The published {published['form'][0]['parameters']} M are "
        "between the two; the sizes they come from are not published with them, so that they "
        "cannot be accounted for part by part."
    )
    return textwrap.fill(text, 100)
