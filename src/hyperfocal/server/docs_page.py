"""The OpenAPI document as a page to read, without scripts and without anything from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .4rem; }
details { border-bottom: 1px solid var(--line); padding: .5rem 0; }
summary { cursor: pointer; }
summary b { display: inline-block; min-width: 4.5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; display: block; overflow-x: auto; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
td, th { vertical-align: top; }
"""

_LONGEST_EXAMPLE = 300


def render(document: Mapping[str, Any]) -> str:
    """HTML of an OpenAPI document; everything in it is escaped."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        # Relative, as the page may lie below a prefix that this service never sees.
        '<link rel="stylesheet" href="docs/style.css"></head><body>',
        f"<h1>{title}</h1><p>{escape(info.get('description', ''))}</p>",
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>. Where keys are asked '
        "for, send <code>Authorization: Bearer KEY</code> or <code>X-API-Key: KEY</code>.</p>",
    ]
    schemas = document.get("components", {}).get("schemas", {})
    for group, operations in _grouped(document["paths"]).items():
        parts.append(f"<h2>{escape(group.capitalize())}</h2>")
        parts.extend(_operation(*operation, schemas) for operation in operations)
    parts.append("</body></html>")
    return "".join(parts)


def _grouped(paths: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Mapping[str, Any]]]]:
    groups: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, operations in paths.items():
        for method, operation in operations.items():
            group = (operation.get("tags") or ["other"])[0]
            groups.setdefault(group, []).append((method, path, operation))
    return groups


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> str:
    parts = [
        f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code> "
        f"{escape(operation.get('summary', ''))}</summary>",
        f"<p>{escape(operation.get('description', ''))}</p>",
    ]
    parameters = operation.get("parameters", [])
    if parameters:
        parts.append("<h4>Parameters</h4>")
        parts.append(
            _table(
                ("name", "in", "kind", ""),
                (
                    (one["name"], one["in"], _kind(one["schema"]), one.get("description", ""))
                    for one in parameters
                ),
            )
        )
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(_body(kind, content, schemas))
    parts.append("<h4>Answers</h4>")
    parts.append(
        _table(
            ("status", "kinds", ""),
            (
                (status, ", ".join(answer.get("content", {})), answer.get("description", ""))
                for status, answer in sorted(operation["responses"].items())
            ),
        )
    )
    return "".join(parts) + "</details>"


def _body(kind: str, content: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = schemas.get(schema["$ref"].rpartition("/")[2], {})
    parts = [f"<h4>Body: <code>{escape(kind)}</code></h4>"]
    properties = schema.get("properties", {})
    if properties:
        needed = schema.get("required", ())
        parts.append(
            _table(
                ("name", "kind", "", ""),
                (
                    (
                        name,
                        _kind(one),
                        "required" if name in needed else "",
                        one.get("description", ""),
                    )
                    for name, one in properties.items()
                ),
            )
        )
    examples = dict(content.get("examples", {}))
    if "example" in content:
        examples["example"] = {"value": content["example"]}
    for name, example in examples.items():
        text = json.dumps(example["value"], indent=2, ensure_ascii=False)
        if len(text) > _LONGEST_EXAMPLE:
            text = "\n".join(
                line if len(line) < 100 else f'{line[:60]}…"' for line in text.splitlines()
            )
        parts.append(f"<p>{escape(name)}</p><pre>{escape(text)}</pre>")
    return "".join(parts)


def _kind(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(kinds)
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if schema.get("format") == "binary":
        return "file"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    span = f" {low:g} to {high:g}" if low is not None and high is not None else ""
    return f"{schema.get('type', '')}{span}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"
