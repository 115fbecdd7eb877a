from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal.server.errors import Malformed
from hyperfocal.server.json_body import SHORT, JsonBody, is_data_url, looks_like_base64


def body(tmp_path, content):
    path = tmp_path / "body"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return JsonBody(path)


def decoded(tmp_path, content, name="image"):
    with body(tmp_path, content) as sent:
        sent.write_picture(sent.fields[name], tmp_path / "picture")
    return (tmp_path / "picture").read_bytes()


def test_short_values_come_as_they_are(tmp_path):
    plain = {"scale": 2.5, "model": "photo-fast", "a": [1, None, {"b": True}], "é": '\\"x\n'}
    with body(tmp_path, plain) as sent:
        assert sent.fields == plain


@pytest.mark.parametrize("size", [1, 2, 3, SHORT, 100_000, 3 << 20, (3 << 20) + 1])
@pytest.mark.parametrize("form", ["{}", "data:image/png;base64,{}", "data:;base64,{}"])
def test_pictures_come_out_as_they_went_in(tmp_path, size, form):
    picture = bytes(i * 7 % 251 for i in range(min(size, 5000))) * (size // 5000 + 1)
    picture = picture[:size]
    text = form.format(base64.b64encode(picture).decode())
    assert decoded(tmp_path, {"scale": 2, "image": text}) == picture


def test_several_pictures_keep_apart(tmp_path):
    one, two = b"1" * 9000, b"2" * 12000
    sent = {
        "image": base64.b64encode(one).decode(),
        "x": "short",
        "reference": base64.b64encode(two).decode(),
    }
    assert decoded(tmp_path, sent) == one
    assert decoded(tmp_path, sent, "reference") == two


@pytest.mark.parametrize("length", [30, 9000])
def test_escapes_that_some_programs_write_are_understood(tmp_path, length):
    picture = b"\xff\xfe\xfb\xef" * length
    text = base64.b64encode(picture).decode()
    assert "/" in text
    assert "+" in text
    escaped = text.replace("/", "\\/").replace("+", "\\u002B")
    assert decoded(tmp_path, b'{"image": "%s"}' % escaped.encode()) == picture


GOOD = base64.b64encode(b"picture" * 1000).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "A",
        "AB",
        "ABC",
        "AB=C",
        "====",
        "AAAA====",
        "QQ==QQ==",
        "Q Q=",
        "QUJD\n",
        "QUJD\r\nQUJD",
        "QUJ_",
        "QU-D",
        "QUJé",
        "%41",
        GOOD[:-1],
        GOOD + "A",
        GOOD[:4000] + "=" + GOOD[4001:],
        GOOD[:4000] + " " + GOOD[4001:],
        GOOD + "\n",
        "data:",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png,QUJD",
        "data:image/png;charset=utf-8,QUJD",
        "data:text/html;base64,QUJD",
        "data:image/png;base64;x,QUJD",
        "data:image/png;base64,data:image/png;base64,QUJD",
        "data:" + "x" * 5000 + ";base64,QUJD",
        "http://example.org/a.png",
        "file:///etc/passwd",
        "/etc/passwd",
    ],
)
def test_nothing_but_base64_is_let_through(tmp_path, text):
    with pytest.raises(Malformed):
        decoded(tmp_path, {"image": text})


def test_padding_in_the_middle_of_a_large_picture_is_found(tmp_path):
    # Where one piece ends and the next begins.
    piece = 4 << 18
    text = "A" * (piece - 1) + "=" + "AAAA"
    with pytest.raises(Malformed):
        decoded(tmp_path, {"image": text})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b'{"a": 1} x',
        b'{"a": 1}{"a": 1}',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": "x',
        b'{"a": "x\\',
        b'{"a": "\\x"}',
        b'{"a": "\n"}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"{" + b'"a":{' * 40 + b"}" * 41,
        b'{"a":' + b"[" * 60_000,
        b'{"a":' + b"[" * 5_000_000,
        b'{"a": "' + b"x" * 5000 + b'": 1}',
        b"[" + b"1," * 100_000 + b"1]",
        b'{"a": [' + b'"",' * 100_000 + b'""]}',
        b'"' + b'\\"' * 3_000_000,
        b'{"a": "' + b'\\"' * 3_000_000,
        b"\0" * 1000,
        b" " * 200_000 + b"{}",
    ],
)
def test_what_is_no_small_json_object_is_refused(tmp_path, content):
    with pytest.raises(Malformed):
        body(tmp_path, content)


def test_nesting_up_to_the_limit_is_read(tmp_path):
    nested: object = 1
    for _ in range(30):
        nested = [nested]
    with body(tmp_path, {"a": nested, "b": "[" * 100}) as sent:
        assert sent.fields["a"] == nested


def test_a_mark_that_a_client_writes_itself_leads_nowhere(tmp_path):
    with body(tmp_path, {"image": "\u00010"}) as sent:
        assert not sent.is_long(sent.fields["image"])
        with pytest.raises(Malformed):
            sent.write_picture(sent.fields["image"], tmp_path / "picture")


def test_an_escaped_string_that_is_no_json_is_refused(tmp_path):
    with pytest.raises(Malformed):
        decoded(tmp_path, b'{"image": "' + b"QUJD" * 2000 + b'\\q"}')


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=100),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
            max_leaves=20,
        ),
        max_size=6,
    ),
    st.booleans(),
)  # fmt: skip
@settings(max_examples=60)
def test_json_is_read_as_the_standard_library_reads_it(tmp_path_factory, plain, ascii_only):
    folder = tmp_path_factory.mktemp("json")
    with body(folder, json.dumps(plain, ensure_ascii=ascii_only).encode()) as sent:
        assert sent.fields == plain


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_bytes_of_any_kind_are_read_or_refused(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("json")
    try:
        with body(folder, content) as sent:
            assert sent.fields == json.loads(content)
    except Malformed:
        pass


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_text_that_looks_like_base64_is(text):
    try:
        base64.b64decode(text, validate=True)
        good = bool(text)
    except ValueError:
        good = False
    if good:
        assert looks_like_base64(text)


def test_data_urls_are_known_by_their_beginning():
    assert is_data_url("DATA:image/png;base64,")
    assert not is_data_url("folder/data:x")
