from __future__ import annotations

import asyncio

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.server.errors import BodyTooLarge, Malformed
from hyperfocal.server.multipart import Form, read_form_data

B = "xxBOUNDARYxx"
TYPE = f"multipart/form-data; boundary={B}"


def part(disposition: str, content: bytes = b"v", more: str = "") -> bytes:
    head = f"--{B}\r\nContent-Disposition: {disposition}\r\n{more}\r\n"
    return head.encode() + content + b"\r\n"


END = f"--{B}--\r\n".encode()


def read(tmp_path, content: bytes, content_type: str = TYPE, size: int = 65536) -> Form:
    async def pieces():
        for at in range(0, len(content), size):
            yield content[at : at + size]

    return asyncio.run(read_form_data(pieces(), content_type, {"image": tmp_path / "image"}))


def test_files_and_fields_come_apart(tmp_path):
    picture = bytes(range(256)) * 300
    form = read(
        tmp_path,
        part('form-data; name="scale"', b"2.5")
        + part('form-data; name="image"; filename="caf\u00e9 1.png"', picture, "Content-Type: image/png\r\n")
        + part('form-data; name="model"', "é".encode())
        + END,
    )  # fmt: skip
    assert form.fields == {"scale": "2.5", "model": "é"}
    assert form.files == {"image": tmp_path / "image"}
    assert form.names == {"image": "caf\u00e9 1.png"}
    assert (tmp_path / "image").read_bytes() == picture


@given(
    content=st.binary(max_size=400),
    size=st.integers(1, 50),
    value=st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
)
@settings(max_examples=60)
def test_a_form_may_be_cut_anywhere(tmp_path_factory, content, size, value):
    request = httpx.Request(
        "POST", "http://x/", data={"v": value}, files={"image": ("n.png", content)}
    )
    folder = tmp_path_factory.mktemp("form")
    form = read(folder, request.read(), request.headers["content-type"], size)
    assert form.fields == {"v": value}
    assert (folder / "image").read_bytes() == content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"x",
        END,
        b"--other\r\n",
        part('form-data; name="a"'),
        part('form-data; name="a"')[:-4],
        part('form-data; name="a"') + f"--{B}".encode(),
        part('form-data; name=""') + END,
        part("form-data") + END,
        part('attachment; name="a"') + END,
        f"--{B}\r\n\r\nv\r\n".encode() + END,
        f"--{B}\r\nBroken header\r\n\r\nv\r\n".encode() + END,
        part('form-data; name="a"') * 2 + END,
        part('form-data; name="image"; filename="a"') * 2 + END,
        part('form-data; name="a"', b"\xff\xfe") + END,
        part('form-data; name="a"', more="X: " + "y" * 9000 + "\r\n") + END,
        part('form-data; name="a"', more="X: y\r\n" * 2000) + END,
        b"".join(part(f'form-data; name="a{n}"') for n in range(65)) + END,
    ],
)
def test_what_is_no_form_is_malformed(tmp_path, content):
    if content == END:
        assert read(tmp_path, content) == Form()
        return
    with pytest.raises(Malformed):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/form-data; boundary=other",
    ],
)
def test_a_boundary_is_needed(tmp_path, content_type):
    with pytest.raises(Malformed):
        read(tmp_path, part('form-data; name="a"') + END, content_type)


def test_a_field_is_not_a_place_for_pictures(tmp_path):
    with pytest.raises(BodyTooLarge, match="'scale'"):
        read(tmp_path, part('form-data; name="scale"', b"x" * 70_000) + END)
    many = b"".join(part(f'form-data; name="a{n}"', b"x" * 60_000) for n in range(6))
    with pytest.raises(BodyTooLarge):
        read(tmp_path, many + END)


def test_what_follows_the_end_is_passed_over(tmp_path):
    form = read(tmp_path, part('form-data; name="a"') + END + b"epilogue" * 100, size=50)
    assert form.fields == {"a": "v"}


@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize(
    "before",
    ["", "\r\n", "\n", "For mail readers.\r\n", f"not --{B} yet\r\n--{B[:-1]}\r\n" * 3],
)
def test_what_precedes_the_beginning_is_passed_over(tmp_path, before, size):
    form = read(tmp_path, before.encode() + part('form-data; name="a"') + END, size=size)
    assert form.fields == {"a": "v"}


def test_a_boundary_begins_a_line(tmp_path):
    with pytest.raises(Malformed):
        read(tmp_path, b"x" + part('form-data; name="a"')[:-2] + END[:-2])


def test_a_file_name_is_only_a_name(tmp_path):
    form = read(tmp_path, part('form-data; name="image"; filename="../../etc/x"') + END)
    assert form.files == {"image": tmp_path / "image"}
