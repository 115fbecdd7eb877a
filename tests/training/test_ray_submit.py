from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
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

from bound import bound

SCRIPT = Path(__file__).parents[2] / "deploy" / "ray" / "submit.sh"

PATIENCE = 300.0
# Two clusters at a time would take more memory than a test may.
ray_group = pytest.mark.xdist_group("ray")
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
    for program in ("git", "tar"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
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


def test_an_output_that_the_cluster_would_delete_is_refused(checkout: Path) -> None:
    done = submit(checkout, "experiments/a.toml", "runs/a", "2")
    assert done.returncode == 2
    assert "runs/a must be an absolute path" in done.stderr
    assert not (checkout / "words").exists()


def test_the_environment_is_sent_as_it_is(checkout: Path) -> None:
    given = {
        "HYPERFOCAL_DATA": '/shared/"new" data\\2026',
        "MLFLOW_TRACKING_URI": 'http://user:a"b\\c@host/é',
        "MLFLOW_EXPERIMENT_NAME": "two\nlines",
    }
    done = submit(checkout, "experiments/a.toml", "/shared/out", **given)
    assert done.returncode == 0, done.stderr
    words = (checkout / "words").read_text().splitlines()
    sent = json.loads(words[words.index("--runtime-env-json") + 1])
    assert sent == {"env_vars": {"PYTHONPATH": "src", **given}}


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of this machine with two cores and a dashboard; the address of that."""
    pytest.importorskip("ray", reason="the ray extra is not installed")
    for _ in range(3):
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        address = f"http://127.0.0.1:{ports['dashboard-port']}"
        with started_head(ports) as head:
            until = time.monotonic() + PATIENCE
            while head.poll() is None and not answers(f"{address}/api/version"):
                assert time.monotonic() < until
                time.sleep(0.2)
            # Else somebody took a port just before it did.
            if head.poll() is None:
                yield address
                return
    raise AssertionError("the cluster has ended three times")


@contextlib.contextmanager
def started_head(ports: dict[str, int]) -> Iterator[subprocess.Popen[bytes]]:
    # Sockets lie in it, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        words = [f"--{name}={port}" for name, port in ports.items()]
        where = ("--node-ip-address=127.0.0.1", "--disable-usage-stats", f"--temp-dir={folder}")
        head = subprocess.Popen(
            bound("ray", "start", "--head", "--block", "--num-cpus=2", *where, *words),
            env=OURS,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield head
        finally:
            # It would take half a minute to end by itself.
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in psutil.Process(head.pid).children(recursive=True):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        process.kill()
            head.kill()
            head.wait()


def free_ports(count: int) -> list[int]:
    """Of those that the system gives to nobody who has not asked for that very one."""
    candidates = random.sample(range(20_000, 30_000), 100)
    return list(itertools.islice(filter(free, candidates), count))


def free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        return True
    return False


def answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


@ray_group
def test_a_cluster_trains_what_was_sent(
    checkout: Path, experiment_file: Path, tmp_path: Path, cluster: str
) -> None:
    root = SCRIPT.parents[2]
    bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root / "src", checkout / "src", dirs_exist_ok=True, ignore=bytecode)
    text = experiment_file.read_text().replace("steps = 250", "steps = 6")
    text = text.replace("validate_every = 125", "validate_every = 3")
    for part in ("train", "val"):
        text = text.replace(f'"{part}"', f'"{experiment_file.parent / part}"')
    (checkout / "experiments" / "a.toml").write_text(text)
    commit(checkout)
    (checkout / "bin" / "ray").unlink()
    out = tmp_path / "out"
    words = ("experiments/a.toml", str(out), "1", "--no-export", "--no-tracking")
    done = submit(checkout, *words, **OURS, RAY_ADDRESS=cluster)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "succeeded" in done.stdout
    (start,) = json.loads((out / "ray-starts.json").read_text())
    assert [worker["rank"] for worker in start["workers"]] == [0]
    assert (out / "best.ckpt").is_file()
