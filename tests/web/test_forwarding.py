"""Through the page's server to a real service and back."""

from __future__ import annotations

import json

import httpx
import pytest
from fronting import request_head
from pretending import check_problem, read_answer
from upstreams import OK

from hyperfocal.server.page import assets
from hyperfocal.server.security.keys import add_key

_SAFETY = (
    "content-security-policy",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
    "content-type",
    "cache-control",
    "etag",
)


@pytest.mark.parametrize(
    "path", ["/", *(f"/static/{name}" for name in assets() if name != "index.html")]
)
def test_the_page_is_the_services_own(web, service, path):
    own, same = service.client.get(path), web.client.get(path)
    assert same.status_code == own.status_code == 200
    assert same.content == own.content
    for name in _SAFETY:
        assert same.headers[name] == own.headers[name], name
    held = web.client.get(path, headers={"if-none-match": own.headers["etag"]})
    assert (held.status_code, held.content) == (304, b"")
    assert held.headers["content-security-policy"] == own.headers["content-security-policy"]


def test_a_reloaded_page_keeps_its_policy(service):
    # A 304 replaces the headers of what the browser holds.
    first = service.client.get("/")
    again = service.client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert "script-src 'self'" in again.headers["content-security-policy"]


def test_a_picture_and_what_is_known_about_it(web, service):
    form = {"image": ("a.png", b"picture", "image/png")}
    answers = [
        web.client.post("/v1/upscale", files=form, data={"scale": "2"}),
        web.client.post("/v1/upscale?scale=2", content=b"picture"),
        web.client.post("/v1/upscale?scale=2", content=iter([b"pict", b"ure"])),
    ]
    for answer in answers:
        assert (answer.status_code, answer.content) == (200, b"erutcip"), answer.text
        assert answer.headers["hyperfocal-model"] == "photo-fast-x2"
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-length"] == "7"
        assert "server" not in answer.headers
    assert [task.options.scale for task in service.pool.tasks] == [2, 2, 2]


def test_the_query_arrives_as_it_was_written(upstream, fronted):
    upstream.says(OK)
    with fronted() as web, web.connection() as connection:
        connection.sendall(
            request_head("GET", "/v1/results/a.png?signature=a%2Fb%3D&x=%E2%82%AC+1")
        )
        assert read_answer(connection)[0] == 200
    first = upstream.heads[0].splitlines()[0]
    assert first == b"GET /v1/results/a.png?signature=a%2Fb%3D&x=%E2%82%AC+1 HTTP/1.1"


def test_predict_and_the_link_it_gives(web):
    answer = web.client.post("/predict", json={"image": "cGljdHVyZQ=="})
    assert answer.status_code == 200, answer.text
    assert web.client.get(answer.json()["url"]).content == b"erutcip"
    head = web.client.head(answer.json()["url"])
    assert (head.headers["content-length"], head.content) == ("7", b"")


def test_problems_of_the_service_come_through(web, service):
    check_problem(web.client.post("/v1/upscale", content=b"broken"), 422, "broken-picture")
    service.pool.hold, service.pool.capacity = False, 0
    service.pool.waiting = 1000
    busy = web.client.post("/v1/upscale", content=b"picture")
    check_problem(busy, 503, "queue-full")
    assert busy.headers["retry-after"] == "7"


def test_a_request_id_is_carried_there_and_back(web):
    for path in ("/v1/models", "/v1/jobs/nothing", "/nowhere"):
        answer = web.client.get(path, headers={"x-request-id": "mine-1"})
        assert answer.headers["x-request-id"] == "mine-1"
        made = web.client.get(path, headers={"x-request-id": "bad id"}).headers["x-request-id"]
        assert len(made) == 32


def test_the_key_of_the_visitor_is_the_one_that_counts(serving, tmp_path):
    keys = tmp_path / "keys"
    _, text = add_key(keys, "visitor", ("use",))
    with serving(keys=keys) as (web, _):
        refused = web.client.post("/v1/upscale", content=b"picture")
        check_problem(refused, 401, "unauthorized")
        assert refused.headers["www-authenticate"]
        for headers in ({"authorization": f"Bearer {text}"}, {"x-api-key": text}):
            answer = web.client.post("/v1/upscale", content=b"picture", headers=headers)
            assert answer.status_code == 200
        # Who is refused has not left a key behind for the next.
        assert web.client.post("/v1/upscale", content=b"picture").status_code == 401


def test_rates_are_counted_for_the_visitor(serving):
    with serving(rate=2, trusted_proxy_hops=1) as (web, service):
        statuses = [
            web.client.get("/v1/models", headers={"x-forwarded-for": f"9.9.9.{n}"}).status_code
            for n in range(3)
        ]
        # What the visitor says of himself does not count.
        assert statuses == [200, 200, 429]
        assert service.client.get("/v1/models", headers={"x-forwarded-for": "8.8.8.8"}).is_success


@pytest.mark.parametrize("path", ["/metrics", "/v1/admin/reload", "/v1/admin/rollback", "/x/y"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PUT"])
def test_the_rest_of_the_service_is_out_of_reach(web, service, method, path):
    answer = web.client.request(method, path, content=b"{}" if method == "POST" else None)
    check_problem(answer, 404, "not-found")
    assert service.pool.reloads == []


@pytest.mark.parametrize(
    "target",
    [
        "/v1/jobs/../admin/rollback",
        "/v1/jobs/%2e%2e/admin/rollback",
        "/v1/jobs%2f..%2fadmin/rollback",
        "//127.0.0.1:1/v1/models",
        "/v1//models",
        "/v1/models%00",
        "/v1/models/",
    ],
)
def test_a_path_is_not_made_into_another(web, service, target):
    with web.connection() as connection:
        connection.sendall(request_head("GET", target))
        assert read_answer(connection)[0] == 404


def test_it_is_no_open_proxy(web, upstream):
    upstream.says(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nopened")
    for method, target in (
        ("GET", f"{upstream.url}/elsewhere"),
        ("GET", f"{upstream.url}/v1/models"),
        ("CONNECT", upstream.url.removeprefix("http://")),
    ):
        with web.connection() as connection:
            connection.sendall(request_head(method, target))
            assert b"opened" not in read_answer(connection)[2]
    assert upstream.heads == []


def test_another_sites_page_may_not_call(web):
    headers = {"origin": "https://other.example", "sec-fetch-site": "cross-site"}
    answer = web.client.post("/v1/upscale", content=b"picture", headers=headers)
    check_problem(answer, 403, "forbidden")
    own = {"origin": web.url}
    assert web.client.post("/v1/upscale", content=b"picture", headers=own).status_code == 200


def test_jobs_and_their_events_one_by_one(web, service, png):
    service.pool.hold = True
    key = {"idempotency-key": "k-1", "content-type": "image/png"}
    made = web.client.post("/v1/jobs?scale=2", content=png, headers=key)
    assert made.status_code == 202, made.text
    assert made.headers["location"].endswith(f"/v1/jobs/{made.json()['id']}")
    again = web.client.post("/v1/jobs?scale=2", content=png, headers=key)
    assert again.json()["id"] == made.json()["id"]
    address = f"/v1/jobs/{made.json()['id']}"
    with web.client.stream("GET", f"{address}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = events.iter_lines()
        # It comes while the job is held, so nothing waits for the end.
        first = next(line for line in lines if line.startswith("data:"))
        assert json.loads(first[5:])["status"] in ("queued", "running")
        service.release()
        states = [json.loads(line[5:])["status"] for line in lines if line.startswith("data:")]
    assert states[-1] == "succeeded"
    assert web.client.get(f"{address}/result").content == png[::-1]


def test_the_head_of_events_is_all_there_is(web, service, png):
    service.pool.hold = True
    made = web.client.post("/v1/jobs", content=png, headers={"content-type": "image/png"})
    with web.connection() as connection:
        connection.sendall(request_head("HEAD", f"/v1/jobs/{made.json()['id']}/events"))
        received = b""
        # There is no end of the events yet, but one of the connection.
        while piece := connection.recv(65536):
            received += piece
    head, end, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"text/event-stream" in head
    assert (end, body) == (b"\r\n\r\n", b"")


def test_a_job_is_cancelled(web, service, png):
    service.pool.hold = True
    made = web.client.post("/v1/jobs?scale=2", content=png, headers={"content-type": "image/png"})
    assert service.pool.arrived.wait(60)
    gone = web.client.delete(f"/v1/jobs/{made.json()['id']}")
    assert gone.json()["status"] == "cancelled"
    assert service.pool.cancelled.wait(60)


def test_a_visitor_who_leaves_stops_the_work(web, service, caplog):
    service.pool.hold = True
    with web.connection() as connection:
        connection.sendall(request_head(Content_Length=7) + b"picture")
        assert service.pool.arrived.wait(60)
    assert service.pool.cancelled.wait(60)
    web.until_idle()
    assert "unforeseen" not in caplog.text


def test_alive_is_its_own_ready_is_the_services(fronted):
    with fronted(api="http://127.0.0.1:9") as web:
        assert web.client.get("/healthz").json() == {"status": "alive"}
        check_problem(web.client.get("/readyz"), 502, "api-unreachable")


def test_ready_when_the_service_is(web):
    assert web.client.get("/readyz").status_code == 200
    assert web.client.get("/version").json()["name"] == "hyperfocal"


@pytest.mark.parametrize("path", ["/", "/healthz", "/static/main.js"])
def test_what_is_there_to_be_read(web, path):
    assert web.client.get(path).status_code == 200
    refused = web.client.post(path)
    check_problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS"
    assert web.client.options(path).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/style.css", "/healthz", "/v1/models"])
@pytest.mark.parametrize("connection", ["Upgrade", "keep-alive, upgrade"])
def test_an_upgrade_that_is_offered_is_no_other_address(web, path, connection):
    offered = {"Upgrade": "websocket", "Connection": connection, "Sec-WebSocket-Version": "13"}
    answer = web.client.get(path, headers=offered)
    assert answer.status_code == 200
    assert answer.content == web.client.get(path).content


def test_what_there_is_not(web):
    check_problem(web.client.post("/static/nothing.js"), 404, "not-found")
    check_problem(web.client.get("/static/nothing.js"), 404, "not-found")
    check_problem(web.client.get("/static/index.html"), 404, "not-found")
    check_problem(web.client.put("/v1/upscale"), 405, "method-not-allowed")


def test_many_at_once_each_get_their_own(web):
    import concurrent.futures

    def send(number: int) -> bool:
        content = f"picture {number}".encode() * 1000
        answer = httpx.post(f"{web.url}/v1/upscale", content=content, timeout=60)
        return answer.content == content[::-1]

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        assert all(threads.map(send, range(32)))
