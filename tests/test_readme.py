"""The README's commands and Python do what it says. ``make`` itself is run by ``.ci/run``."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from bound import bound

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README takes to be there."""
    folder = tmp_path_factory.mktemp("readme")
    sample = ROOT / "examples" / "astronaut.jpg"
    (folder / "holiday" / "beach").mkdir(parents=True)
    for name in ("portrait.jpg", "holiday/one.jpg", "holiday/beach/two.jpg"):
        shutil.copy(sample, folder / name)
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HYPERFOCAL_CACHE": str(folder / ".cache"),
    }
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(shutil.which("bash") is None, reason="the commands are for a shell")
def test_the_commands_run_in_order(folder: Path) -> None:
    ours = [line for line in commands() if not line.startswith("make ")]
    assert len(ours) > 5
    for line in ours:
        done = run(folder, "bash", "-o", "pipefail", "-ec", line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert made >= {
        "portrait@2x.jpg",
        "portrait.png",
        "portrait@800px.webp",
        "larger/one.jpg",
        "larger/beach/two.jpg",
        "piped.png",
    }


def test_the_python_runs(folder: Path) -> None:
    (code,) = blocks("python")
    done = run(folder, sys.executable, "-W", "error", "-c", code)
    assert done.returncode == 0, done.stderr
    assert (folder / "portrait@3x.tif").is_file()


@pytest.mark.parametrize("word", [line.split()[1] for line in commands() if line[:5] == "make "])
def test_the_words_of_make_exist(word: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{word}:.*## \S", makefile, flags=re.MULTILINE)


def test_it_opens_with_the_two_commands() -> None:
    assert [line.split("#")[0].strip() for line in commands()[:2]] == ["make demo", "make test"]


@pytest.mark.skipif(not shutil.which("bash") or not shutil.which("curl"), reason="needs curl")
def test_the_service_serves(folder: Path) -> None:
    (block,) = blocks("bash")
    serve, *others = block.splitlines()
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "HYPERFOCAL_SERVER_PORT": "0",
        "HYPERFOCAL_SERVER_DATA": str(folder / "data"),
    }
    with subprocess.Popen(
        bound(*shlex.split(serve, comments=True)),
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as service:
        try:
            assert service.stdout is not None
            address, _, port = service.stdout.readline().decode().strip().rpartition(":")
            assert address == "http://127.0.0.1"
            ready = ["curl", "-sf", "--retry", "150", "--retry-all-errors", "--retry-delay", "1"]
            subprocess.run([*ready, f"http://127.0.0.1:{port}/readyz"], check=True, timeout=300)
            for line in others:
                done = run(folder, "bash", "-ec", line.replace(":8000", f":{port}"))
                assert done.returncode == 0, f"{line}\n{done.stderr}"
        finally:
            service.terminate()
            service.communicate(timeout=60)
    for name in ("large.jpg", "restored/one.jpg", "restored/beach/two.jpg"):
        with Image.open(folder / name) as made:
            assert made.size == (512, 512)
