"""Forms with files (RFC 7578) that are cut, endless, doubled or otherwise wrong."""

from __future__ import annotations

from cases import WRONG_REQUEST, Case, family
from pictures import sound

_TYPE = "multipart/form-data; boundary=xyz"


def families():
    """Forms around a sound picture, so that only the form can be what is refused."""
    yield family("wrong boundaries", _boundaries())
    yield family("broken forms", (_form(name, body) for name, body in _bodies()))


def _form(name: str, body: bytes, kind: str = _TYPE, path: str = "/v1/upscale") -> Case:
    return Case(name, body, WRONG_REQUEST, path=path, headers={"content-type": kind})


def _part(
    name: str = "image",
    content: bytes | None = None,
    *,
    head: bytes | None = None,
    end: bytes = b"\r\n",
) -> bytes:
    content = sound()["png"] if content is None else content
    line = b'Content-Disposition: form-data; name="%s"; filename="a.png"' % name.encode()
    return b"--xyz\r\n" + (line if head is None else head) + b"\r\n\r\n" + content + end


_END = b"--xyz--\r\n"


def _boundaries():
    whole = _part() + _END
    for name, kind in (
        ("none", "multipart/form-data"),
        ("empty", "multipart/form-data; boundary="),
        ("another", "multipart/form-data; boundary=abc"),
        ("71 letters", "multipart/form-data; boundary=" + "x" * 71),
        ("5000 letters", "multipart/form-data; boundary=" + "x" * 5000),
        ("in quotes that do not end", 'multipart/form-data; boundary="xy'),
        ("called otherwise", "multipart/form-data; border=xyz"),
        ("after a comma", "multipart/form-data, boundary=xyz"),
        ("extended", "multipart/form-data; boundary*=utf-8''x%79"),
    ):
        yield _form(name, whole, kind)
    for kind in ("multipart/mixed; boundary=xyz", "multipart/related; boundary=xyz",
                 "application/x-www-form-urlencoded", "text/plain", "application/json", "nonsense",
                 "text/html", "application/xml", ";", "/", "image", "video/mp4"):  # fmt: skip
        yield _form(f"a body of {kind}", whole, kind)


def _bodies():
    picture = sound()["png"]
    yield "nothing", b""
    yield "only an end", _END
    yield "no end", _part()
    yield "an end of one dash", _part() + b"--xyz-"
    yield "cut in the picture", _part()[:200]
    yield "cut in a head", b"--xyz\r\nContent-Dispo"
    yield "cut after a boundary", b"--xyz"
    yield "the picture alone", picture
    yield "no picture", _part("scale", b"2") + _END
    yield "an empty picture", _part(content=b"") + _END
    yield "two pictures", _part() + _part() + _END
    yield "the picture under another name", _part("file") + _END
    yield "a text part as long as a picture", _part("scale", b"2" * 70_000) + _part() + _END
    yield "long text parts", b"".join(_part(f"o{n}", b"x" * 60_000) for n in range(5)) + _END
    for count in (65, 5000, 20_000):
        parts = b"".join(_part(f"o{n}", b"1") for n in range(count))
        yield f"{count} parts", parts + _part() + _END
    yield "5000 parts of no name", b"--xyz\r\n\r\nx\r\n" * 5000 + _END
    yield "an option twice", _part("scale", b"2") + _part("scale", b"2") + _part() + _END
    yield "an unknown option", _part("size", b"2") + _part() + _END
    yield "an option that is not UTF-8", _part("model", b"\xff\xfe") + _part() + _END
    yield "an option of NUL", _part("model", b"\0") + _part() + _END
    yield "a name of 7000 letters", _part("n" * 7000, b"1") + _part() + _END
    lines = (
        ("no head", b""),
        ("no name", b"Content-Disposition: form-data"),
        ("an empty name", b'Content-Disposition: form-data; name=""'),
        ("an attachment", b'Content-Disposition: attachment; name="image"'),
        ("a head of 100000 bytes", b"X-Long: " + b"y" * 100_000),
        (
            "a name of 100000 bytes",
            b'Content-Disposition: form-data; name="' + b"i" * 100_000 + b'"',
        ),
        ("5000 head lines", b"\r\n".join(b"X-%d: y" % n for n in range(5000))),
        ("a head line without a colon", b"Content-Disposition form-data"),
        ("a head of NUL", b"\0" * 50),
        ("a folded head", b'Content-Disposition: form-data;\r\n name="image"'),
        ("only a type", b"Content-Type: image/png"),
        ("a quote that does not end", b'Content-Disposition: form-data; name="image'),
    )
    for name, line in lines:
        body = _part(head=line) + _END
        # Without the picture's own part, whatever is made of the head, there is no picture.
        yield name, body.replace(b'"image"', b'"imag"') if name == "a folded head" else body
    yield "bare line ends", _part().replace(b"\r\n", b"\n") + _END
    yield "a form in a form", _part(content=_part() + _END) + b"--xyz--"
    yield "boundaries only", b"--xyz\r\n" * 10_000
    yield "dashes only", b"-" * 100_000
