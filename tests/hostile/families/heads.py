"""Requests whose head is the trouble: methods, addresses, header lines, lengths."""

from __future__ import annotations

from cases import Case, family
from pictures import DOUBLED, sound

_REFUSED = frozenset({400, 401, 403, 404, 405, 406, 408, 413, 414, 415, 422, 431})


def families():
    """Through a proper client, and as bytes that no proper client sends."""
    yield family("abused headers", _headers())
    yield family("wrong addresses", _addresses())
    yield family("no HTTP", (Case(name, data, _REFUSED, raw=True) for name, data in _raw()))


def _headers():
    picture, fine = sound()["png"], frozenset({200})
    for name, headers in (
        ("accept nothing", {"accept": "image/heic;q=0"}),
        ("accept text", {"accept": "text/html"}),
        ("accept video only", {"accept": "video/*, application/json"}),
        ("accept nothing of anything", {"accept": "*/*;q=0"}),
        ("an absurd quality in accept", {"accept": "image/png;q=99999999999999999999"}),
        ("another site", {"origin": "https://evil.example"}),
        ("no site", {"origin": "null"}),
        ("another kind of body", {"content-type": "text/html"}),
        ("a kind with a parameter", {"content-type": "application/json; charset=utf-8"}),
        ("a form without a boundary", {"content-type": "multipart/form-data"}),
        ("a kind of letters with accents", {"content-type": b"im\xe4ge/png"}),
    ):
        yield Case(name, picture, _REFUSED, headers=headers)
    # What means nothing here must not disturb.
    for name, more in (
        ("an endless accept", {"accept": ",".join(["image/png;q=0.1"] * 1000)}),
        ("a request id that is none", {"x-request-id": "<script>" * 100}),
        ("a forwarded address that is none", {"x-forwarded-for": "'; drop table jobs; --"}),
        ("many forwarded addresses", {"x-forwarded-for": ",".join(["1.1.1.1"] * 2000)}),
        ("a range", {"range": "bytes=0-0,1-1,2-2"}),
        ("a key where none is asked for", {"authorization": "Bearer " + "x" * 5000}),
        ("a scheme that is none", {"authorization": "\x7f"}),
        ("a cookie of 10000 bytes", {"cookie": "a=" + "b" * 10_000}),
        ("an override of the method", {"x-http-method-override": "DELETE"}),
        ("an upgrade", {"connection": "upgrade", "upgrade": "websocket"}),
    ):
        yield Case(name, picture, fine, DOUBLED, headers=more)
    for name, key in (("empty", ""), ("with a space", "a b"), ("of 256 letters", "k" * 256),
                      ("with accents", b"\xe9")):  # fmt: skip
        headers = {"idempotency-key": key}
        yield Case(
            f"an idempotency key {name}", picture, _REFUSED, path="/v1/jobs", headers=headers
        )


def _addresses():
    for method, path in (
        ("GET", "/v1/upscale"), ("PUT", "/v1/upscale"), ("DELETE", "/predict"), ("PATCH", "/"),
        ("TRACE", "/v1/upscale"), ("CONNECT", "/v1/upscale"), ("FOO", "/v1/upscale"),
        ("POST", "/healthz"), ("POST", "/"), ("OPTIONS", "/v1/jobs"), ("GET", "/nothing"),
        ("GET", "/.env"), ("GET", "/static/../app.py"), ("GET", "/static/..%2fapp.py"),
        ("GET", "/static/%2e%2e/%2e%2e/settings.py"), ("GET", "/static/%00"), ("GET", "/static/"),
        ("GET", "/static//etc/passwd"), ("GET", "//etc/passwd"), ("GET", "/%ff%fe"),
        ("GET", "/v1/jobs/nothing"), ("GET", "/v1/jobs/%00"), ("GET", "/v1/jobs/' OR 1=1 --"),
        ("GET", "/v1/jobs/nothing/result"), ("GET", "/v1/jobs/nothing/events"),
        ("DELETE", "/v1/jobs/nothing"), ("GET", "/v1/jobs/" + "j" * 5000),
        ("DELETE", "/v1/feedback/nothing"), ("DELETE", "/v1/feedback/%ff"),
        ("GET", "/v1/results/x.png"), ("GET", "/v1/results/x.png?expires=1&signature=x"),
        ("GET", "/v1/results/x.png?expires=" + "9" * 5000 + "&signature=x"),
        ("GET", "/v1/results/x.png?expires=99999999999&signature=%C3%A9"),
        ("GET", "/v1/results/x.png?expires=99999999999&signature=%00"),
        ("GET", "/v1/results/..%2f..%2fhyperfocal.db?expires=99999999999&signature=x"),
        ("GET", "/v1/results/%2e%2e?expires=-1&signature="),
        ("POST", "/v1/admin/reload"), ("POST", "/v1/admin/rollback"),
    ):  # fmt: skip
        yield Case(f"{method} {path[:60]}", b"", _REFUSED | {409, 410}, path=path, method=method)


def _raw():
    host, close = b"Host: 127.0.0.1\r\n", b"Connection: close\r\n"
    post = b"POST /v1/upscale HTTP/1.1\r\n" + close
    yield "rubbish", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n"
    yield "HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield "no version", b"GET /healthz\r\n\r\n"
    yield "no host", post + b"Content-Length: 0\r\n\r\n"
    yield "two hosts", post + host + host + b"Content-Length: 0\r\n\r\n"
    yield "a head of 100000 bytes", post + host + b"X: " + b"y" * 100_000 + b"\r\n\r\n"
    yield (
        "an address of 70000 bytes",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n" + close + host + b"\r\n",
    )
    yield "10000 header lines", post + host + b"X: y\r\n" * 10_000 + b"\r\n"
    yield "a header without a colon", post + host + b"Nonsense\r\n\r\n"
    yield "a header that folds", post + host + b"X: y\r\n z\r\nContent-Length: x\r\n\r\n"
    yield "a space before a colon", post + host + b"Content-Length : 5\r\n\r\nabcde"
    yield "a NUL in a header", post + host + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"
    yield "a space in the address", b"GET /heal thz HTTP/1.1\r\n" + host + b"\r\n"
    yield "a negative length", post + host + b"Content-Length: -5\r\n\r\nabcde"
    yield "a length in letters", post + host + b"Content-Length: five\r\n\r\nabcde"
    yield "a length with a plus", post + host + b"Content-Length: +5\r\n\r\nabcde"
    yield "two lengths", post + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"
    yield "a length of 10**30", post + host + b"Content-Length: 1" + b"0" * 30 + b"\r\n\r\nabc"
    yield "a length above the limit", post + host + b"Content-Length: 99000000\r\n\r\nabc"
    chunked = post + host + b"Transfer-Encoding: chunked\r\n"
    yield "a chunk of letters", chunked + b"\r\nxyz\r\nabc\r\n0\r\n\r\n"
    yield "a chunk of -1", chunked + b"\r\n-1\r\nabc\r\n0\r\n\r\n"
    yield "a chunk of 2**80", chunked + b"\r\n" + b"f" * 20 + b"\r\nabc\r\n0\r\n\r\n"
    yield "a chunk longer than it says", chunked + b"\r\n2\r\nabcdef\r\n0\r\n\r\n"
    yield "an unknown transfer coding", post + host + b"Transfer-Encoding: gzip\r\n\r\nabc"
    yield "chunked and a length", chunked + b"Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
