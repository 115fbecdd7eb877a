"""What only a process of its own can show: start-up, signals, pipes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from calling import Photo

from told import told_to_stop

_HYPERFOCAL = [sys.executable, "-m", "hyperfocal"]
_HEAVY = ("numpy", "pydantic", "PIL", "imagecodecs", "tifffile", "openvino", "torch", "rich")


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_start_up_imports_nothing_heavy(option: str) -> None:
    code = (
        "import sys\n"
        "from hyperfocal.cli import main\n"
        f"sys.argv = ['hyperfocal', {option!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('LOADED', *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()[1:]
    assert "hyperfocal" in loaded
    assert not set(loaded) & set(_HEAVY)


def test_the_version_is_the_packages() -> None:
    from importlib.metadata import version

    done = subprocess.run([*_HYPERFOCAL, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"hyperfocal {version('hyperfocal')}\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_stopping_keeps_what_is_done_and_leaves_nothing_half_done(
    photo: Photo, tmp_path: Path, name: str
) -> None:
    number = signal.Signals[name]
    photo("a.png")
    # Nobody writes into it, so that the program waits there until it is stopped.
    os.mkfifo(tmp_path / "b.png")
    with subprocess.Popen(
        [*_HYPERFOCAL, "upscale", "-m", "bicubic", "a.png", "b.png", "-o", "out", "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell may have started these tests with signals ignored, which children inherit.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as program:
        assert program.stderr is not None
        assert "a.png ->" in program.stderr.readline()
        out, _ = told_to_stop(program, number)
    assert program.returncode == 130
    assert '"code": "cancelled"' in out
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_closed_terminal_is_ignored_under_nohup(photo: Photo, tmp_path: Path) -> None:
    data = (tmp_path / photo("a.png")).read_bytes()
    os.mkfifo(tmp_path / "b.png")
    with subprocess.Popen(
        [*_HYPERFOCAL, "upscale", "-m", "bicubic", "a.png", "b.png", "-o", "out"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    ) as program:
        assert program.stderr is not None
        program.stderr.readline()
        program.send_signal(signal.SIGHUP)
        (tmp_path / "b.png").write_bytes(data)
    assert program.returncode == 0
    assert (tmp_path / "out" / "b.png").is_file()


def test_stopping_while_writing_leaves_no_partial_file(
    photo: Photo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from hyperfocal.cli.app import build
    from hyperfocal.imaging import write_png

    def interrupted(plan: object, sink: object) -> None:
        sink.write(b"half a file")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    arguments = ["upscale", "-m", "bicubic", str(photo("a.png")), "-o", "out/b.png"]
    monkeypatch.setattr(write_png, "write", interrupted)
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 130
    assert list((tmp_path / "out").iterdir()) == []


def test_a_reader_that_leaves_early_is_no_traceback(photo: Photo, tmp_path: Path) -> None:
    photo("a.png", height=400, width=600)
    with subprocess.Popen(
        [*_HYPERFOCAL, "upscale", "-m", "bicubic-x4", "a.png", "-o", "-"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as program:
        assert program.stdout is not None
        program.stdout.close()
        assert program.stderr is not None
        told = program.stderr.read().decode()
    assert program.returncode == 1
    assert "Traceback" not in told


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_bars_on_a_terminal(photo: Photo, tmp_path: Path) -> None:
    photo("a.png")
    photo("b.png")
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [*_HYPERFOCAL, "upscale", "-m", "bicubic", "a.png", "b.png", "-o", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    ) as program:
        os.close(theirs)
        told = b""
        try:
            while piece := os.read(ours, 4096):
                told += piece
        except OSError:  # what Linux says at the end of a terminal
            pass
        assert program.stdout is not None
        assert program.stdout.read() == b""
    os.close(ours)
    assert program.returncode == 0
    assert b"\x1b[" in told
    assert b"files" in told
    assert b"2 done" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_a_pipe_is_told_plainly(photo: Photo, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*_HYPERFOCAL, "upscale", photo("a.png"), "-o", "-", "-m", "bicubic", "-f", "png"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert b"standard output: no space left on the disk" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_a_name_that_is_no_text(photo: Photo, tmp_path: Path, encoding: str) -> None:
    """As old archives hold them; most locales make stdout strict."""
    name = os.fsdecode(b"f\xfcnf \xe6\x97\xa5.png")
    (tmp_path / photo("a.png")).rename(tmp_path / name)

    def output_of(*arguments: str) -> bytes:
        return subprocess.run(
            [*_HYPERFOCAL, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": encoding},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout

    done = json.loads(output_of("upscale", name, "-m", "bicubic", "-o", "b.png", "--json"))
    assert done["files"][0]["input"] == name
    assert json.loads(output_of("inspect", name, "--json"))
    assert b"nf \xe6\x97\xa5.png" in output_of("inspect", name)


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_a_bench_in_folders_whose_names_are_no_text(tmp_path: Path) -> None:
    folder = str(tmp_path / os.fsdecode(b"caf\xe9"))
    done = subprocess.run(
        [*_HYPERFOCAL, "bench", "-m", "photo-realtime-x2", "--side", "8", "--runs", "2", "--json"],
        env={**os.environ, "HYPERFOCAL_MODELS": folder, "HYPERFOCAL_CACHE": folder},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][0]["model"] == "photo-realtime-x2"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_bench_that_is_stopped_leaves_no_process_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*_HYPERFOCAL, "bench", "-m", "bicubic-x2", "--side", "64", "--runs", "1000000"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    ) as program:
        late = time.monotonic() + 120
        while not (measuring := _benches_of(program.pid)):
            assert program.poll() is None
            assert time.monotonic() < late
            time.sleep(0.1)
        program.send_signal(signal.SIGTERM)
        said = program.communicate(timeout=120)[1]
    late = time.monotonic() + 60
    while (left := measuring & _processes().keys()) and time.monotonic() < late:
        time.sleep(0.1)
    for process, started in left:
        # Another process may have got its number meanwhile.
        if (process, started) in _processes():
            os.kill(process, signal.SIGKILL)
    assert (program.returncode, left) == (130, set())
    assert b"stopped" in said


def _benches_of(parent: int) -> set[tuple[int, str]]:
    """Children that measure; until one does, it may not be known to who is to end it."""
    found = set()
    for (process, started), above in _processes().items():
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            loaded = Path(f"/proc/{process}/maps").read_text()
            if above == parent and b"hyperfocal.evaluate.bench" in command and "numpy" in loaded:
                found.add((process, started))
    return found


def _processes() -> dict[tuple[int, str], int]:
    """Those that run, by number and the time of their start, and their parents."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything.
            state, above, *more = path.read_text().rpartition(")")[2].split()
            if state != "Z":
                found[int(path.parent.name), more[17]] = int(above)
    return found


def _in_a_shell(command: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    line = command.replace("hyperfocal", f"'{sys.executable}' -m hyperfocal", 1)
    return subprocess.run(["sh", "-c", line], cwd=folder, capture_output=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("log", ["2>/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_a_log_that_cannot_be_written_stops_nothing(photo: Photo, tmp_path: Path, log: str) -> None:
    photo("in/a.png")
    photo("in/c.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    done = _in_a_shell(f"hyperfocal upscale -m bicubic in -o out {log}", tmp_path)
    assert done.returncode == 1  # because of the one that is none
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]
    assert _in_a_shell(f"hyperfocal upscale -m bicubic in/a.png {log}", tmp_path).returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("upscale a.png -m bicubic -o - >&-", b"no stdout"),
        ("upscale - -m bicubic -o b.png <&-", b"no stdin"),
        ("inspect - <&-", b"no stdin"),
        ("compare a.png - <&-", b"no stdin"),
    ],
)
def test_a_closed_pipe_is_usage(photo: Photo, tmp_path: Path, command: str, reason: bytes) -> None:
    photo("a.png")
    done = _in_a_shell(f"hyperfocal {command}", tmp_path)
    assert done.returncode == 2
    assert reason in done.stderr
    assert b"Traceback" not in done.stderr
