"""Odd arguments and environments, strange answers: each is told in a sentence, as what it is."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from faking import Fake, events, job, made, picture, problem, whole
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from hyperfocal import errors
from hyperfocal.client import Client, Retry, ServiceError
from hyperfocal.client.errors import BodyTooLarge, Forbidden, NoAnswer, StrangeAnswer, Unauthorized
from hyperfocal.client.retry import read_retry_after

PNG = b"\x89PNG\r\n\x1a\n and more"
NOBODY = "http://127.0.0.1:1"
DEEP = b"[" * 100_000


def as_json(text: str | bytes) -> Response:
    return Response(text, media_type="application/json")


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "a..example"])
def test_a_host_that_cannot_be(host: str) -> None:
    with pytest.raises(errors.UsageError, match="no address"):
        Client(f"http://{host}")


@pytest.mark.parametrize("proxy", ["http://[::1", "nonsense://127.0.0.1:1"])
def test_a_proxy_that_cannot_be(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    with pytest.raises(errors.UsageError, match="proxy"):
        Client("http://service.example")


def test_authorities_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")
    for file in ("bad.pem", "nowhere.pem"):
        with pytest.raises(errors.UsageError, match="authorities"):
            Client("https://service.example", verify=str(tmp_path / file))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(errors.UsageError, match="authorities"):
        Client("https://service.example")


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e20, -1.0])
def test_a_time_limit_that_no_clock_can_hold(seconds: float) -> None:
    with pytest.raises(errors.UsageError, match="timeout"):
        Client(NOBODY, timeout=seconds)
    with Client(NOBODY) as client, pytest.raises(errors.UsageError, match="timeout"):
        next(client.jobs.events("job-1", timeout=seconds))


def test_a_closed_client() -> None:
    client = Client(NOBODY)
    client.close()
    with pytest.raises(errors.UsageError, match="closed"):
        client.models()


def test_a_password_in_the_address_is_not_shown(fake: Fake) -> None:
    url = fake.url.replace("//", "//me:secret@")
    fake.otherwise = HTMLResponse("no", 404)
    with Client(url, retry=Retry(attempts=1)) as client:
        assert client.url == fake.url
        with pytest.raises(StrangeAnswer) as caught:
            client.models()
    assert "secret" not in str(caught.value)


def test_where_a_redirect_leads_is_told(fake: Fake, client: Client) -> None:
    fake.otherwise = RedirectResponse("https://elsewhere.example/v1/models", 308)
    with pytest.raises(StrangeAnswer, match=r"redirects to https://elsewhere\.example"):
        client.models()
    assert len(fake.seen) == 1


@pytest.mark.parametrize("number", ["1e999", "NaN", "1" + "0" * 400, "-Infinity"])
def test_numbers_that_are_none(fake: Fake, client: Client, number: str) -> None:
    text = JSONResponse({**made(), "output_width": 1, "output_height": 1, "tiles": 1}).body.decode()
    fake.otherwise = as_json(text.replace('"width":32', f'"width":{number}'))
    with pytest.raises(StrangeAnswer):
        client.estimate(PNG)


def test_json_without_a_bottom(fake: Fake, client: Client) -> None:
    fake.otherwise = as_json(DEEP)
    for call in (client.models, lambda: client.jobs.get("job-1")):
        with pytest.raises(StrangeAnswer):
            call()
    assert client.health().version is None
    fake.otherwise = Response(DEEP, 500, media_type="application/problem+json")
    with pytest.raises(StrangeAnswer):
        client.models()
    fake.otherwise = Response(b"data: " + DEEP + b"\n\n", media_type="text/event-stream")
    with pytest.raises(StrangeAnswer):
        list(client.jobs.events("job-1"))


@pytest.mark.parametrize("width", ["inf", "nan", "-5", "0", "2.5"])
def test_a_width_that_is_none(fake: Fake, client: Client, tmp_path: Path, width: str) -> None:
    fake.otherwise = picture(Hyperfocal_Width=width)
    with pytest.raises(StrangeAnswer, match="hyperfocal-width"):
        client.upscale(PNG, tmp_path / "out.png")
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_those_of_the_file(fake: Fake, client: Client, tmp_path: Path) -> None:
    """A proxy may compress what it passes on."""
    file = whole(b"x" * 1000)
    fake.otherwise = picture(gzip.compress(file), raw=True, content_encoding="gzip")
    assert client.upscale(PNG, tmp_path / "out.png").bytes == len(file)
    assert client.upscale(PNG).bytes == len(file)


def test_an_empty_answer_is_no_picture(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = picture(b"", raw=True)
    for output in (None, tmp_path / "out.png"):
        with pytest.raises(StrangeAnswer, match="is empty"):
            client.upscale(PNG, output)
    assert list(tmp_path.iterdir()) == []


def test_who_is_busy_is_told_where_a_proxy_says_so(fake: Fake, client: Client) -> None:
    fake.otherwise = HTMLResponse("bad gateway", 502)
    with pytest.raises(ServiceError, match=rf"{fake.url}/v1/models is busy .* 502 Bad Gateway"):
        client.models()


@pytest.mark.parametrize(
    "words",
    [
        lambda status: HTMLResponse("<h1>no</h1>", status),
        lambda status: JSONResponse({"message": "no"}, status),
        lambda status: JSONResponse({"code": "DENIED", "detail": "no"}, status),
    ],
    ids=["page", "json", "code"],
)
@pytest.mark.parametrize(
    ("status", "kind", "exit_code", "said"),
    [
        (401, Unauthorized, 2, "wants a key, or a name and a password .*401 Unauthorized"),
        (403, Forbidden, 2, "lets nobody through .*403 Forbidden"),
        (413, BodyTooLarge, 3, "more bytes than the service, or a proxy before it, takes"),
    ],
)
def test_a_refusal_in_a_proxys_words_is_what_the_services_would_be(
    fake: Fake,
    client: Client,
    words: Any,
    status: int,
    kind: type[ServiceError],
    exit_code: int,
    said: str,
) -> None:
    fake.otherwise = words(status)
    with pytest.raises(kind) as caught:
        client.upscale(PNG)
    assert (caught.value.status, caught.value.exit_code) == (status, exit_code)
    if caught.value.code == "DENIED":
        assert str(caught.value) == "no"
    else:
        assert caught.value.code == kind.code
        assert re.search(f"{fake.url}/v1/upscale .*{said}", str(caught.value))
    assert len(fake.seen) == 1


def test_json_that_names_no_code_is_somebody_elses(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse({"detail": "Not Found"}, 404)
    with pytest.raises(StrangeAnswer, match="is it the address of the service"):
        client.upscale(PNG)


def test_a_gateways_problem_says_what_it_says(fake: Fake, client: Client) -> None:
    """RFC 9457 knows no member that is called code."""
    document = {"title": "Bad", "detail": "width must be even"}
    fake.otherwise = JSONResponse(document, 400, media_type="application/problem+json")
    with pytest.raises(ServiceError, match="width must be even") as caught:
        client.upscale(PNG)
    assert (caught.value.code, caught.value.is_own) == ("http-400", False)


def test_a_proxy_that_got_no_answer_is_no_answer(fake: Fake, client: Client) -> None:
    fake.otherwise = HTMLResponse("gateway timeout", 504)
    with pytest.raises(NoAnswer, match=rf"{fake.url}/v1/models: the proxy .* no answer") as caught:
        client.models()
    assert caught.value.status == 504
    assert len(fake.seen) == 1


def test_an_output_that_cannot_be_is_told_before_the_work(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    for output in (tmp_path / "nowhere" / "out.png", tmp_path):
        with pytest.raises(errors.OutputRefused):
            client.upscale(PNG, output)
        with pytest.raises(errors.OutputRefused):
            client.preview(PNG, output)
        with pytest.raises(errors.OutputRefused):
            client.jobs.result("job-1", output)
    assert fake.seen == []


def test_a_result_does_not_replace_its_picture(fake: Fake, client: Client, tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    source.write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(source)
    with source.open("rb") as file:
        for output in (source, tmp_path / "link.png"):
            with pytest.raises(errors.OutputError, match="replace the input"):
                client.upscale(file, output)
    for call in (client.upscale, client.preview):
        for output in (source, tmp_path / "link.png"):
            with pytest.raises(errors.OutputError, match="replace the input"):
                call(source, output)
    assert fake.seen == []
    assert source.read_bytes() == PNG


@pytest.mark.parametrize("key", ["é", "a\nb", " ", "a\x7f"])
def test_an_idempotency_key_that_no_header_holds(fake: Fake, client: Client, key: str) -> None:
    with pytest.raises(errors.UsageError, match="idempotency_key"):
        client.jobs.submit(PNG, idempotency_key=key)
    assert fake.seen == []


def test_words_that_are_no_text(fake: Fake, client: Client) -> None:
    for call in (
        lambda: client.upscale(PNG, model="\udc80"),
        lambda: client.predict(PNG, model="\udc80"),
        lambda: client.feedback("1", "up", comment="\udc80"),
        lambda: client.feedback("1", "up", reasons=["\udc80"]),
    ):
        with pytest.raises(errors.UsageError, match="is no text"):
            call()
    assert fake.seen == []


@pytest.mark.parametrize("size", [(1, 2, 3), "12", (), (None, None), [None, None]])
def test_a_size_that_is_no_pair(client: Client, size: Any) -> None:
    with pytest.raises(errors.UsageError, match="size"):
        client.upscale(PNG, size=size)


def test_a_name_that_no_file_can_have(client: Client) -> None:
    with pytest.raises(errors.InputMissing, match="no possible file name"):
        client.upscale("a\0b.png")


def test_waiting_goes_on_behind_a_proxy_that_has_no_service(fake: Fake, client: Client) -> None:
    fake.answers = [
        HTMLResponse("bad gateway", 502),
        JSONResponse(job("running", 0.5)),
        HTMLResponse("gateway timeout", 504),
        JSONResponse(job("running", 0.5)),
        problem(503, "draining"),
        HTMLResponse("bad gateway", 502),
        JSONResponse(job("running", 0.5)),
        events(job("succeeded", 1, result=made())),
    ]
    assert client.jobs.wait("job-1").status == "succeeded"


def test_what_a_job_failed_of_is_no_sign_of_a_busy_service(fake: Fake, client: Client) -> None:
    failed = {"title": "t", "status": 503, "code": "spool-full", "detail": "no space"}
    fake.answers = [events(job("failed", problem=failed))]
    with pytest.raises(errors.HyperfocalError, match="no space"):
        client.jobs.wait("job-1")
    assert len(fake.seen) == 1


def test_pauses_after_very_many_tries() -> None:
    patient = Retry(attempts=10**6, longest=7.0, patience=float("inf"))
    assert patient.pause(5000, 0.0, None, draw=lambda: 0.0) == 7.0


@pytest.mark.parametrize("text", ["9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_that_no_clock_can_hold(text: str) -> None:
    asked = read_retry_after(text)
    assert asked is not None
    assert 1e8 < asked < 1e9
