"""A result that is no picture, another one than was asked for, or cut short is not taken."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from faking import Fake, Seen, events, job, made, picture, problem, whole
from sending_folders import Call, results, twice
from starlette.responses import JSONResponse

from hyperfocal import errors, imaging
from hyperfocal.client import Client, Retry
from hyperfocal.client.errors import StrangeAnswer, Unreachable
from hyperfocal.client.whole import check_whole, check_whole_file
from hyperfocal.imaging.formats import FORMATS, missing_extra

PNG = b"\x89PNG\r\n\x1a\n and more"
WRITTEN = [name for name in imaging.WRITABLE if missing_extra(FORMATS[name]) is None]
SHAPES = [(37, 53, 3), (8, 9), (21, 20, 4)]


def encoded(form: str, shape: tuple[int, ...], dtype: type = np.uint8) -> bytes:
    samples = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype)
    return imaging.encode(imaging.from_array(samples), form)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", WRITTEN)
def test_what_the_service_writes_is_whole_and_its_beginning_is_not(
    form: str, shape: tuple[int, ...]
) -> None:
    data = encoded(form, shape)
    check_whole(data, f"image/{form}")
    # The last bytes of a TIFF may be zeros that mean nothing.
    last = len(data) - (4 if form == "tiff" else 0)
    for end in {1, *range(30, last, 97), *range(last - 20, last)}:
        with pytest.raises((Unreachable, StrangeAnswer)):
            check_whole(data[:end], f"image/{form}")


@pytest.mark.parametrize("form", [name for name in WRITTEN if 16 in FORMATS[name].depths])
def test_deep_pictures_are_whole(form: str) -> None:
    check_whole(encoded(form, (21, 20, 3), np.uint16), f"image/{form}")


@pytest.mark.parametrize("form", WRITTEN)
def test_one_format_is_not_taken_for_another(form: str) -> None:
    data = encoded(form, (8, 9, 3))
    for other in WRITTEN:
        if other != form:
            with pytest.raises(StrangeAnswer, match="was promised"):
                check_whole(data, f"image/{other}")
    # What later versions may know is believed.
    check_whole(data, "image/of-tomorrow")


@pytest.mark.parametrize("form", ["png", "jpeg", "gif"])
def test_a_line_end_that_was_added_on_the_way_is_no_matter(form: str) -> None:
    data = encoded(form, (37, 53, 3))
    check_whole(data + b"\r\n", f"image/{form}")
    with pytest.raises(Unreachable, match="is missing"):
        check_whole(data[:-1] + b"\r\n", f"image/{form}")


def test_what_is_kept_in_memory_stays_there() -> None:
    data = encoded("png", (37, 53, 3))
    with SpooledTemporaryFile(dir="/nowhere") as file:
        file.write(data)
        check_whole_file(cast(BinaryIO, file), "image/png")
        file.seek(-3, os.SEEK_END)
        file.truncate()
        with pytest.raises(Unreachable, match="is missing"):
            check_whole_file(cast(BinaryIO, file), "image/png")


@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("form", WRITTEN)
def test_files_are_checked_alike(
    form: str, maps: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hyperfocal.client import whole as module

    def no_map(*args: Any, **options: Any) -> Any:
        raise OSError("this file system maps nothing")

    if not maps:
        monkeypatch.setattr(module, "mmap", no_map)
    data = encoded(form, (37, 53, 3))
    with (tmp_path / "x").open("w+b") as file:
        file.write(data)
        check_whole_file(file, f"image/{form}")
        file.truncate(len(data) - 100)
        with pytest.raises(Unreachable, match="is missing"):
            check_whole_file(file, f"image/{form}")
    with (tmp_path / "x").open("wb") as file:
        # As a device, which cannot be read.
        file.write(b"no picture")
        check_whole_file(file, f"image/{form}")


@pytest.mark.parametrize("name", [None, "out.png"])
def test_an_answer_that_is_no_picture(
    fake: Fake, client: Client, tmp_path: Path, name: str | None
) -> None:
    output = None if name is None else tmp_path / name
    fake.otherwise = picture(b"<h1>Please sign in</h1>", raw=True)
    for call in (client.upscale, client.preview):
        with pytest.raises(StrangeAnswer, match="a PNG was promised"):
            call(PNG, output)
    with pytest.raises(StrangeAnswer, match="a PNG was promised"):
        client.jobs.result("job-1", output)
    assert list(tmp_path.iterdir()) == []
    assert len(fake.seen) == 3


@pytest.mark.parametrize("name", [None, "out.png"])
@pytest.mark.parametrize("asked", ["jpeg", "JPG", ".jpe"])
def test_a_format_that_was_not_asked_for(
    fake: Fake, client: Client, tmp_path: Path, name: str | None, asked: str
) -> None:
    output = None if name is None else tmp_path / name
    fake.otherwise = picture(media_type="image/png")
    for call in (client.upscale, client.preview):
        with pytest.raises(StrangeAnswer, match="jpeg was asked for, and the answer is png"):
            call(PNG, output, format=asked)
    assert list(tmp_path.iterdir()) == []
    fake.otherwise = picture(media_type="image/jpeg")
    assert client.upscale(PNG, output, format=asked).format == "jpeg"


def test_the_format_of_the_name_is_asked_for(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = picture(media_type="image/png")
    with pytest.raises(StrangeAnswer, match="webp was asked for"):
        client.upscale(PNG, tmp_path / "x.webp")
    with pytest.raises(errors.OutputRefused, match="says webp"):
        client.jobs.result("job-1", tmp_path / "x.webp")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_gets_what_is_whole_and_nothing_else(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    for answer in (picture(b"x" * 5000), picture(b"no picture", raw=True)):
        fake.otherwise = answer
        reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
        reader.start()
        with contextlib.suppress(StrangeAnswer):
            client.upscale(PNG, pipe, format="png")
        reader.join(60)
    assert read == [whole(b"x" * 5000), b""]


@contextmanager
def cutting(answers: list[bytes]) -> Iterator[str]:
    """A server that says no length and ends each connection after the next of the answers."""

    def serve() -> None:
        for body in answers:
            with server.accept()[0] as connection:
                connection.settimeout(60)
                received = b""
                while PNG not in received:
                    received += connection.recv(1 << 16)
                connection.sendall(head.encode() + body)

    headers = picture(media_type="image/png").headers
    lines = [f"{name}: {value}" for name, value in headers.items() if name != "content-length"]
    head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "connection: close", "", ""])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(60)


@pytest.mark.parametrize("name", [None, "out.png"])
def test_a_picture_cut_short_where_no_length_is_told_is_fetched_again(
    tmp_path: Path, name: str | None
) -> None:
    output = None if name is None else tmp_path / name
    file = whole(b"a picture")
    patient = Retry(attempts=2, first=0.0, longest=0.0)
    with cutting([file[:20], file]) as url, Client(url, retry=patient) as client:
        assert client.upscale(PNG, output).read() == file
    with (
        cutting([file[:20], file[:-1]]) as url,
        Client(url, retry=patient) as client,
        pytest.raises(Unreachable, match="broke off: the end of the PNG is missing"),
    ):
        client.upscale(PNG, None if name is None else tmp_path / "other.png")
    assert [path.name for path in tmp_path.iterdir()] == ([] if name is None else [name])


@pytest.mark.parametrize("as_job", [False, True])
def test_what_was_no_picture_is_not_done_and_is_sent_again(
    send: Call, fake: Fake, folder: Path, as_job: bool
) -> None:
    def bad(seen: Seen) -> Any:
        if seen.path == "/v1/jobs":
            return JSONResponse(job(), 202)
        if seen.path.endswith("/events"):
            return events(job("succeeded", 1.0, result=made()))
        if seen.path in ("/version", "/readyz"):
            return JSONResponse({"version": "1.2"})
        if as_job and seen.body.endswith(b"a.png"):
            return problem(504, "deadline")
        is_bad = seen.body.endswith(b"a.png") or seen.path.endswith("/result")
        return cut if is_bad else picture(b"2x" + seen.body)

    cut = picture(b"not a picture at all", "image/png", raw=True)
    good, fake.otherwise = fake.otherwise, bad
    answer = send("--retries", "0")
    assert answer.exit_code == 1
    assert "failed: in/a.png: a PNG was promised" in answer.stderr
    assert sorted(results(folder)) == ["b.jpg", "sub/c.png"]
    fake.otherwise = good
    fake.seen.clear()
    assert send().exit_code == 0
    assert len(fake.seen) == 1
    assert results(folder)["a.png"] == twice(b"a.png")
