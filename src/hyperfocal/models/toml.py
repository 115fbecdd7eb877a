"""Writing TOML: the little of it that cards need, as the standard library only reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def write_toml(values: Mapping[str, object]) -> str:
    """TOML text of plain values, tables one level deep and arrays of such tables.

    Values: str, bool, int, float, arrays of one or more of these, and mappings or sequences of
    mappings of these; a table may hold tables. Scalars come first, since in TOML whatever
    follows a heading belongs to it.
    ``TypeError`` for anything else.
    """
    lines = _table(values, ())
    return "\n".join(lines).lstrip("\n") + "\n"


def _table(values: Mapping[str, object], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(k)} = {_scalar(v)}" for k, v in values.items() if _is_scalar(v)]
    for key, value in values.items():
        inner = (*path, key)
        heading = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            # A table that holds only tables needs no heading of its own.
            if not value or any(_is_scalar(v) for v in value.values()):
                lines += ["", f"[{heading}]"]
            lines += _table(value, inner)
        elif not _is_scalar(value):
            if not isinstance(value, Sequence):
                raise TypeError(f"{heading} cannot be written as TOML: {type(value).__name__}")
            for item in value:
                if not isinstance(item, Mapping):
                    raise TypeError(f"{heading} must hold tables, not {type(item).__name__}")
                lines += ["", f"[[{heading}]]", *_table(item, inner)]
    return lines


def _is_scalar(value: object) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(item, str | bool | int | float) for item in value)
    return isinstance(value, str | bool | int | float)


def _scalar(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if bare else _scalar(name)
