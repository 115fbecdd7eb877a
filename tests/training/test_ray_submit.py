from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "ray" / "submit.sh"

# Notes how it was called and what it was to send, as "ray job submit" would have read them.
RAY = """#!/bin/sh
printf '%s\\n' "$@" > "$NOTES/words"
while [ "$1" != --working-dir ]; do shift; done
(cd "$2" && find . -type f | sort) > "$NOTES/files"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small repository with the script, an experiment, and one file that is not committed."""
    root = tmp_path / "a checkout"
    for name in ("deploy/ray", "src/hyperfocal", "experiments", "bin"):
        (root / name).mkdir(parents=True)
    shutil.copy(SCRIPT, root / "deploy" / "ray")
    (root / "pyproject.toml").touch()
    (root / "src" / "hyperfocal" / "__init__.py").touch()
    (root / "experiments" / "a.toml").touch()
    (root / "bin" / "ray").write_text(RAY)
    (root / "bin" / "ray").chmod(0o755)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    (root / "experiments" / "new.toml").touch()
    return root


def submit(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{checkout / 'bin'}:{os.environ['PATH']}"
    given = {"PATH": path, "NOTES": str(checkout), "HYPERFOCAL_DATA": "/shared/data"}
    return subprocess.run(
        [checkout / "deploy" / "ray" / "submit.sh", *words],
        env={**os.environ, **given},
        cwd=checkout.parent,
        capture_output=True,
        text=True,
    )


def test_the_committed_tree_is_sent_and_named(checkout: Path) -> None:
    done = submit(checkout, "experiments/a.toml", "/shared/out", "8", "--resume")
    assert done.returncode == 0, done.stderr
    words = (checkout / "words").read_text().splitlines()
    options, command = words[: words.index("--")], words[words.index("--") + 1 :]
    named = dict(zip(options[2::2], options[3::2], strict=True))
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True
    )
    commit = head.stdout[:12]
    assert named["--submission-id"].startswith(f"hyperfocal-a-{commit}-")
    assert json.loads(named["--metadata-json"])["commit"] == commit
    environment = json.loads(named["--runtime-env-json"])["env_vars"]
    assert environment["HYPERFOCAL_DATA"] == "/shared/data"
    assert " ".join(command) == (
        "python -m hyperfocal train fit experiments/a.toml --out /shared/out "
        "--ray auto --ray-workers 8 --quiet --resume"
    )
    assert (checkout / "files").read_text().split() == [
        "./experiments/a.toml",
        "./pyproject.toml",
        "./src/hyperfocal/__init__.py",
    ]
    assert not Path(named["--working-dir"]).exists()


def test_what_is_not_committed_is_refused(checkout: Path) -> None:
    done = submit(checkout, "experiments/new.toml", "/shared/out")
    assert done.returncode == 3
    assert "not in the last commit" in done.stderr
    assert not (checkout / "words").exists()


def test_too_little_shows_the_usage(checkout: Path) -> None:
    done = submit(checkout, "experiments/a.toml")
    assert done.returncode == 2
    assert "usage" in done.stderr
