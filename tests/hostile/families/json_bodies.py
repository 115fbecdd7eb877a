"""Bodies of ``POST /predict`` and ``POST /v1/feedback`` that are not what JSON should be."""

from __future__ import annotations

import base64
import json

from cases import WRONG_REQUEST, Case, family
from pictures import sound

_JSON = {"content-type": "application/json"}


def families():
    """Broken JSON, wrong types and numbers, wrong base64, paths, feedback."""
    yield family("broken JSON", (_predict(*case) for case in _broken()))
    yield family("JSON of wrong members", (_predict(*case) for case in _members()))
    yield family("wrong base64", (_predict(*case) for case in _base64()))
    yield family("paths", _paths())
    yield family("wrong verdicts", _verdicts())


def _predict(name: str, body: bytes | dict[str, object]) -> Case:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    # 404: what is neither a picture nor base64 could be a path, which then leads nowhere.
    return Case(name, content, WRONG_REQUEST | {404}, path="/predict", headers=_JSON)


def _picture() -> str:
    return base64.b64encode(sound()["png"]).decode()


def _broken():
    picture = _picture().encode()
    yield "nothing", b""
    yield "a brace", b"{"
    yield "a string", b'"' + picture + b'"'
    yield "a number", b"1"
    yield "null", b"null"
    yield "a list", b"[" + b'{"image": "' + picture + b'"}]'
    yield "NaN as it is", b"NaN"
    yield "no end", b'{"image": "' + picture
    yield "no last brace", b'{"image": "' + picture + b'"'
    yield "two objects", b'{"image": "x"}{"image": "x"}'
    yield "a comma too many", b'{"image": "' + picture + b'",}'
    yield "single quotes", b"{'image': '" + picture + b"'}"
    yield "a comment", b'{"image": "' + picture + b'" /* x */}'
    yield "a byte order mark", b"\xef\xbb\xbf" + b'{"image": "' + picture + b'"}'
    yield "UTF-16", ('{"image": "' + _picture() + '"}').encode("utf-16")
    yield "not UTF-8", b'{"image": "' + picture + b'", "model": "\xff\xfe"}'
    yield "a control character", b'{"image": "' + picture[:99] + b"\n" + picture[99:] + b'"}'
    yield "a NUL", b'{"image": "' + picture + b'", "model": "a\0b"}'
    yield "half an escape", b'{"image": "' + picture + b'", "model": "\\u12"}'
    yield "NUL bytes", bytes(10_000)
    yield "the member twice", b'{"image": "x", "image": "' + picture + b'"}'
    for depth in (33, 1000, 1_000_000):
        yield f"{depth} lists", b'{"image": ' + b"[" * depth + b"]" * depth + b"}"
    yield "100000 objects", b'{"image": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    yield "open lists only", b"[" * 200_000
    yield "open strings only", b'{"a' + b'":"' * 100_000
    yield "backslashes only", b'{"image": "' + b"\\" * 200_001
    yield "many members", b"{" + b",".join(b'"m%d": 1' % n for n in range(20_000)) + b"}"
    yield "a number of a million digits", b'{"image": "x", "scale": ' + b"9" * 1_000_000 + b"}"
    yield "a number of 5000 digits", b'{"image": "x", "scale": ' + b"9" * 5000 + b"}"
    yield "more than a body may have", b'{"image": "' + b"A" * 3_100_000 + b'"}'


def _members():
    picture = _picture()
    yield "none", {}
    yield "no image", {"scale": 2}
    for name, value in (
        ("null", None), ("true", True), ("7", 7), ("1.5", 1.5), ("a list", [picture]),
        ("an object", {"data": picture}), ("an empty string", ""), ("a space", " "),
    ):  # fmt: skip
        yield f"image {name}", {"image": value}
        yield f"reference {name}", {"image": picture, "reference": [value]}
    for scale in ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "-0", "0", "9",
                  "8.0001", "-2", "true", "null1", '"two"', '"nan"', "[2]", "{}", "2e0e0",
                  "0x2", "01", "9" * 400):  # fmt: skip
        body = b'{"image": "' + picture.encode() + b'", "scale": ' + scale.encode() + b"}"
        yield f"scale {scale[:20]}", body
    for model in (7, [], {}, True, "../../etc/passwd", "a" * 200, "A", "x y", "\u2028", "a\0b"):
        yield f"model {model!r:.20}", {"image": picture, "model": model}
    yield (
        "a lone surrogate for a model",
        b'{"image": "' + picture.encode() + b'", "model": "\\ud800"}',
    )
    yield "a lone surrogate for an image", b'{"image": "\\udfff\\ud800"}'
    surrogates = b'{"image": "' + b"\\ud800" * 2000 + b'"}'
    yield "many lone surrogates for an image", surrogates
    yield "a lone surrogate for a name", b'{"image": "x", "\\ud800": 1}'
    yield "an unknown member", {"image": picture, "scales": 2}
    yield "a name of 50000 letters", {"image": picture, "x" * 50_000: 2}
    yield "__proto__", {"image": picture, "__proto__": {"admin": True}}
    for returned in ("file", 1, None, ["image"], ""):
        if returned not in (None, ""):
            yield f"return {returned!r}", {"image": picture, "return": returned}
    yield "a reference of another size", {"image": picture, "reference": picture}
    yield "a reference that is no picture", {"image": picture, "reference": "QUJDREVGR0g=" * 500}


def _base64():
    plain = _picture()
    assert len(plain) % 4 == 0
    yield "one letter short", {"image": plain[:-1]}
    yield "one letter more", {"image": plain + "A"}
    yield "no padding where it is needed", {"image": plain[:-3] + "A"}
    yield "padding in the middle", {"image": plain[:400] + "====" + plain[404:]}
    yield "five equal signs", {"image": plain + "====="}
    yield "the letters of addresses", {"image": plain[:400] + "-_-_" + plain[404:]}
    yield "spaces", {"image": " ".join((plain[:4000], plain[4000:]))}
    yield "line ends", {"image": "\r\n".join((plain[:76], plain[76:]))}
    yield "letters with accents", {"image": plain[:400] + "éééé" + plain[404:]}
    yield "half a picture", {"image": plain[: len(plain) // 8 * 4]}
    yield "base64 of base64", {"image": base64.b64encode(plain.encode()).decode()}
    yield "hexadecimal", {"image": sound()["png"].hex()}
    yield "base32", {"image": base64.b32encode(sound()["png"]).decode()}
    yield "only padding", {"image": "="}
    yield "a text in base64", {"image": base64.b64encode(b"no picture " * 900).decode()}
    for name, head in (
        ("of text", "data:text/plain;base64,"),
        ("of HTML", "data:text/html;base64,"),
        ("without base64", "data:image/png,"),
        ("without a comma", "data:image/png;base64"),
        ("with an endless type", "data:image/" + "x" * 5000 + ";base64,"),
        ("with a thousand parameters", "data:image/png" + ";a=b" * 1000 + ";base64,"),
        ("in a data URL", "data:image/png;base64,data:image/png;base64,"),
        ("in base65", "data:image/png;base65,"),
    ):
        yield f"a data URL {name}", {"image": head + plain}
    yield "an empty data URL", {"image": "data:image/png;base64,"}
    yield "only data:", {"image": "data:"}
    gif = base64.b64encode(sound()["gif"][:200]).decode()
    yield "a data URL of half a GIF", {"image": "data:image/png;base64," + gif}


def _paths():
    allowed = frozenset({400, 403, 404, 415, 422})
    for name in (
        "../outside.png", "/etc/passwd", "a/../../outside.png", "..", ".", "", "~/x", "~root/x",
        "photo.png\0.jpg", "..\\outside.png", "C:\\photo.png", "file:///etc/passwd",
        "http://127.0.0.1:1/x.png", "https://example.org/x.png", "//example.org/x", "\\\\host\\x",
        "nothing.png", "x" * 4000, "a/" * 1500, "photo.png ", "|id",
        "%2e%2e/outside.png", "..%2foutside.png", "....//outside.png", "$(id)", "`id`",
        "/proc/self/environ", "/dev/zero", "\u202egnp.otohp", "PHOTO.PNG\n",
    ):  # fmt: skip
        if name == "":
            continue
        content = json.dumps({"image": name}).encode()
        yield Case(f"{name[:30]!r}", content, allowed, path="/predict", headers=_JSON)


def _verdicts():
    sound_verdict: dict[str, object] = {"request_id": "nobody-knows-it", "verdict": "up"}
    bodies: list[tuple[str, object]] = [
        ("unknown request", sound_verdict),
        ("a list", [sound_verdict]),
        ("null", None),
        ("no verdict", {"request_id": "a"}),
        ("another verdict", {**sound_verdict, "verdict": "sideways"}),
        ("a number for an id", {**sound_verdict, "request_id": 7}),
        ("an id with a quote", {**sound_verdict, "request_id": "' OR 1=1 --"}),
        ("an id of 5000 letters", {**sound_verdict, "request_id": "a" * 5000}),
        ("an unknown reason", {**sound_verdict, "reasons": ["ugly"]}),
        ("a thousand reasons", {**sound_verdict, "reasons": ["blurry"] * 1000}),
        ("a comment of 2001 letters", {**sound_verdict, "comment": "x" * 2001}),
        ("a comment that is an object", {**sound_verdict, "comment": {}}),
        ("a lone surrogate for a comment", {**sound_verdict, "comment": "\ud800"}),
        ("a NUL in the comment", {**sound_verdict, "comment": "a\0b"}),
        ("an unknown member", {**sound_verdict, "admin": True}),
        ("60000 letters", {**sound_verdict, "comment": "x" * 70_000}),
    ]
    allowed = WRONG_REQUEST | {404}
    for name, body in bodies:
        content = json.dumps(body).encode()
        yield Case(name, content, allowed, path="/v1/feedback", headers=_JSON)
    for name, content in (
        ("nothing", b""),
        ("a brace", b"{"),
        ("deep lists", b"[" * 60_000),
        ("NaN", b'{"request_id": "a", "verdict": NaN}'),
        ("not UTF-8", b'{"request_id": "\xff", "verdict": "up"}'),
    ):
        yield Case(name, content, allowed, path="/v1/feedback", headers=_JSON)
