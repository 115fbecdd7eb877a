"""``hyperfocal web`` as a program."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest
from typer.testing import CliRunner

from hyperfocal.cli.app import build


def run(*arguments, **environment):
    return CliRunner().invoke(build(), ["web", *map(str, arguments)], env=environment)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_it_says_where_it_is_and_stops_when_told(name, upstream):
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
    program = subprocess.Popen(
        [sys.executable, "-m", "hyperfocal", "web", "--port", "0"],
        env={**os.environ, "FASTAPI_SERVER_URL": upstream.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell may have started these tests with SIGINT ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    address = program.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:")
    with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
        assert client.get("/").status_code == 200
        assert client.get("/v1/models").json() == []
        program.send_signal(getattr(signal, name))
    out, err = program.communicate(timeout=60)
    assert (program.returncode, out, err) == (0, "", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_download_in_progress_is_finished_when_told_to_stop(name, upstream):
    # Much more than the buffers of the connections on the way hold.
    size = 30_000_000
    upstream.behave = lambda connection, head: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size)
    )
    # Five seconds may not be enough on a machine that has other things to do.
    code = (
        "import sys; from hyperfocal.web import loop; loop.GRACE_SECONDS = 60;"
        "from hyperfocal.cli.app import build; build()(sys.argv[1:])"
    )
    program = subprocess.Popen(
        [sys.executable, "-c", code, "web", "--port", "0", "--api", upstream.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        address = program.stdout.readline().strip()
        with httpx.stream("GET", f"{address}/v1/results/a.png", timeout=60) as answer:
            pieces = answer.iter_raw()
            got = len(next(pieces))
            program.send_signal(getattr(signal, name))
            # Nobody new is let in, which says that it has been heard.
            until_refused(address)
            got += sum(map(len, pieces))
        out, err = program.communicate(timeout=60)
    finally:
        program.kill()
    assert got == size
    assert (program.returncode, out, err) == (0, "", "")


def until_refused(address):
    port = int(address.rpartition(":")[2])
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            # Reset: it stopped listening while this one was on its way in; the next is refused.
            with contextlib.suppress(ConnectionResetError):
                socket.create_connection(("127.0.0.1", port), timeout=60).close()
        except ConnectionRefusedError:
            return
        time.sleep(0.01)
    raise AssertionError("it still lets in who comes")


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run("--port", taken.getsockname()[1])
    assert answer.exit_code == 2
    assert "cannot be listened on" in answer.output


def test_a_host_that_is_not_this_machines():
    answer = run("--host", "host.invalid", "--port", 0)
    assert answer.exit_code == 2
    assert "cannot be listened on" in answer.output


def test_an_address_of_the_api_that_is_none():
    answer = run("--port", 0, FASTAPI_SERVER_URL="api")
    assert answer.exit_code == 2
    assert "'api' is no address of an API" in answer.output


def test_limits_that_are_none():
    assert run("--max-body", "much").exit_code == 2
    assert run("--timeout", "0").exit_code == 2


@pytest.mark.parametrize("absent", ["flask", "waitress"])
def test_without_the_extra_it_says_what_to_install(monkeypatch, absent):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == absent else find(name)
    )
    answer = run()
    assert answer.exit_code != 0
    assert "pip install 'hyperfocal[web]'" in answer.output


def test_other_verbs_do_not_need_it():
    code = (
        "import sys, hyperfocal.cli.app as app; app.build();"
        "print({'flask', 'waitress'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_it_does_not_bring_the_service_along():
    code = (
        "import sys, hyperfocal.web.app, hyperfocal.web.listen, hyperfocal.web.settings;"
        "print({'fastapi', 'uvicorn', 'sqlalchemy', 'openvino', 'numpy', 'torch'} & {*sys.modules})"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
