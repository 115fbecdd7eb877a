"""What the code imports is installed by the extra that brings this part of it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "hyperfocal"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Which extras a part may count on, besides what always comes; by how paths begin.
EXTRAS = {
    "imaging/": ["heif"],
    "models/": ["onnxruntime"],
    "training/": ["train"],
    "training/ray_": ["ray"],
    "training/nets/depthpro_sr.py": ["depthpro"],
    "web/": ["web"],
}


def normal(name: str) -> str:
    """A distribution's name as PyPI compares them."""
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def brought(line: str) -> set[str]:
    """The distribution of a requirement, and those that it requires in turn."""
    wanted = Requirement(line)
    found = {normal(wanted.name)}
    for inner in map(Requirement, requires(wanted.name) or ()):
        extras = ["", *wanted.extras]
        if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
            found.add(normal(inner.name))
    return found


@cache
def homes() -> dict[str, set[str]]:
    """The distributions that a package lies in."""
    return {k: {normal(name) for name in v} for k, v in packages_distributions().items()}


def imported(path: Path) -> Iterator[str]:
    """Packages of others that a file imports, at its head or late."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            package = name.partition(".")[0]
            if package != "hyperfocal" and package not in sys.stdlib_module_names:
                yield package


NEEDED = {
    path.relative_to(SOURCE).as_posix(): packages
    for path in sorted(SOURCE.rglob("*.py"))
    if (packages := set(imported(path)))
}


@pytest.mark.parametrize("name", NEEDED)
def test_what_a_file_imports_is_brought(name: str) -> None:
    lines = list(PROJECT["dependencies"])
    for beginning, extras in EXTRAS.items():
        if name.startswith(beginning):
            for extra in extras:
                lines += PROJECT["optional-dependencies"][extra]
    given = set().union(*map(brought, lines))
    for package in NEEDED[name]:
        assert homes()[package] & given, f"{name} imports {package}, which no extra of it brings"


def test_every_extra_for_users_is_on_the_page_about_installing() -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `\.\[(\w+)\]` \|", page, re.MULTILINE))
    assert listed == PROJECT["optional-dependencies"].keys() - {"test"}


def test_hints_name_extras_that_exist_in_words_for_any_shell() -> None:
    """Where a hint is read, the package is installed: pip adds an extra to it without an index."""
    hints = []
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        hints += re.findall(r"pip install (\S*hyperfocal\[[^\]]*\]'?)", text)
    assert hints
    for hint in hints:
        assert re.fullmatch(r"'hyperfocal\[.*\]'", hint), hint
        for extra in hint[len("'hyperfocal[") : -len("]'")].split(","):
            assert extra.startswith("{") or extra in PROJECT["optional-dependencies"], hint
