from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

SCRIPT = Path(__file__).parents[2] / "deploy" / "ray" / "submit.sh"

PATIENCE = 300.0
PORTS = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
# The programs of this environment, one thread a worker, no token of another cluster of the user.
OURS = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
    "RAY_AUTH_MODE": "disabled",
}

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
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    commit(root)
    (root / "experiments" / "new.toml").touch()
    return root


def commit(root: Path) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for words in (["add", "."], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", *words], cwd=root, check=True)


def submit(checkout: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"NOTES": str(checkout), "HYPERFOCAL_DATA": "/shared/data", **environment}
    given["PATH"] = f"{checkout / 'bin'}:{given.get('PATH', os.environ['PATH'])}"
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


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of this machine with two cores and a dashboard; the address of that."""
    pytest.importorskip("ray", reason="the ray extra is not installed")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    address = f"http://127.0.0.1:{ports['dashboard-port']}"
    # Sockets lie in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        words = [f"--{name}={port}" for name, port in ports.items()]
        where = ("--node-ip-address=127.0.0.1", "--disable-usage-stats", f"--temp-dir={folder}")
        head = subprocess.Popen(
            ["ray", "start", "--head", "--block", "--num-cpus=2", *where, *words],
            env=OURS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until = time.monotonic() + PATIENCE
            while not answers(f"{address}/api/version"):
                assert head.poll() is None
                assert time.monotonic() < until
                time.sleep(0.2)
            yield address
        finally:
            # It would take half a minute to end by itself.
            for process in (*psutil.Process(head.pid).children(recursive=True), head):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            head.wait()


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def test_a_cluster_trains_what_was_sent(
    checkout: Path, experiment_file: Path, tmp_path: Path, cluster: str
) -> None:
    root = SCRIPT.parents[2]
    shutil.copytree(root / "src", checkout / "src", dirs_exist_ok=True)
    text = experiment_file.read_text().replace("steps = 250", "steps = 6")
    text = text.replace("validate_every = 125", "validate_every = 3")
    for part in ("train", "val"):
        text = text.replace(f'"{part}"', f'"{experiment_file.parent / part}"')
    (checkout / "experiments" / "a.toml").write_text(text)
    commit(checkout)
    (checkout / "bin" / "ray").unlink()
    out = tmp_path / "out"
    words = ("experiments/a.toml", str(out), "2", "--no-export", "--no-tracking")
    done = submit(checkout, *words, **OURS, RAY_ADDRESS=cluster)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout
    (start,) = json.loads((out / "ray-starts.json").read_text())
    assert [worker["rank"] for worker in start["workers"]] == [0, 1]
    assert (out / "best.ckpt").is_file()
