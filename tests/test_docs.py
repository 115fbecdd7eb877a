"""The documentation is not stale and its links lead somewhere."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from hyperfocal.cli.app import build

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from generate_docs import pages  # noqa: E402

PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*.md"))
    if path.is_file()
]


@pytest.mark.parametrize("name", sorted(pages()))
def test_generated_pages_are_what_the_code_says(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    assert written == pages()[name], f"{name} is stale: run 'make docs' and commit it"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|#", target):
            continue
        assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_in_the_index() -> None:
    docs = ROOT / "docs"
    index = (docs / "index.md").read_text(encoding="utf-8")
    for page in docs.rglob("*.md"):
        name = page.relative_to(docs).as_posix()
        assert name == "index.md" or f"({name})" in index, name


GENERATED = ROOT / "docs" / "command-line.md"
PROGRAMS = sorted([*ROOT.glob("tools/*.py"), *ROOT.glob("benchmarks/*.py")])


def code(page: Path) -> Iterator[str]:
    """What a page shows as code, a command or a few words each."""
    text = page.read_text(encoding="utf-8")
    fenced = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    for block in fenced.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    for span in re.findall(r"`([^`]+)`", fenced.sub("", text)):
        yield " ".join(span.split())


def words_after(program: str, line: str) -> list[str] | None:
    """What a line gives to a program, up to a comment or the next command; None if it runs none."""
    found = re.search(rf"(?:^|[\s|]){program} (?=\S)(.*)", line)
    return re.split(r"\s[#|>;&]|\s2>", found[1])[0].split() if found else None


def options(words: list[str]) -> set[str]:
    return {
        word.partition("=")[0].rstrip(",)]").lstrip("[")
        for word in words
        if re.match(r"\[?--?[a-zA-Z]", word)
    }


def known(command: Any) -> set[str]:
    """The options of a verb, and of those below it."""
    found = {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"--help"}
    return found.union(*map(known, getattr(command, "commands", {}).values()))


WRITTEN = [page for page in PAGES if page != GENERATED]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_verbs_and_options_exist(page: Path) -> None:
    everything = get_command(build())
    for line in code(page):
        words, command = words_after("hyperfocal", line), everything
        if words is None:
            continue
        while hasattr(command, "commands") and words and not words[0].startswith("-"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        assert options(words) <= known(command), line


def test_commands_and_their_options_are_found() -> None:
    line = "cat a | hyperfocal upscale - -f png --[no]  > b.png  # --not-this"
    assert words_after("hyperfocal", line) == ["upscale", "-", "-f", "png", "--[no]"]
    assert options(["-s", "4", "--long-edge=800", "-", "[--resume]"]) == {
        "-s",
        "--long-edge",
        "--resume",
    }
    found = [line for page in WRITTEN for line in code(page) if words_after("hyperfocal", line)]
    assert len(found) > 60


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_on_their_own_are_of_some_program(page: Path) -> None:
    ours = known(get_command(build()))
    text = "".join(path.read_text(encoding="utf-8") for path in PROGRAMS)
    ours |= set(re.findall(r'"(--[a-z-]+)"', text))
    for line in code(page):
        if line.startswith("--"):
            assert options(line.split()) <= ours, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tools_that_are_named_exist_and_have_these_options(page: Path) -> None:
    shared = set(re.findall(r'"(--[a-z-]+)"', (ROOT / "tools/measured.py").read_text("utf-8")))
    for line in code(page):
        for name in re.findall(r"\b((?:tools|benchmarks)/\w+\.py)\b", line):
            has = set(re.findall(r'"(--[a-z-]+)"', (ROOT / name).read_text(encoding="utf-8")))
            given = words_after(re.escape(f"python {name}"), line) or []
            assert options(given) <= has | shared, line


def test_contributing_lists_who_may_import_whom() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = project["tool"]["importlinter"]["contracts"]
    layers = [layer.split(" | ") for layer in reversed(contract["layers"])]
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```text\n(control_groups.*?)```", text, re.DOTALL)
    assert [line.split(", ") for line in shown.splitlines()] == layers


def test_the_wish_for_an_extra_is_one_that_works() -> None:
    """The package is on no index: pip finds it in a checkout, or where it is installed already."""
    for page in PAGES:
        for line in code(page):
            for wanted in words_after("pip install", line) or []:
                fresh = page.name != "install.md"
                assert not (fresh and wanted.startswith("'hyperfocal")), f"{page.name}: {line}"


def test_the_source_distribution_has_all_that_its_tests_read() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = set(project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"])
    read = {"src", "tests", "tools", "benchmarks", "deploy", "docs", "examples", "experiments"}
    assert read | {"Makefile", "README.md", "CONTRIBUTING.md"} <= included
    assert all((ROOT / name).exists() for name in included)
