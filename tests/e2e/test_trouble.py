"""What goes wrong, and how it is told."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from doing import choose, finish, note_states, restore
from PIL import Image
from running import wait_until

Open = Callable[..., Any]
Photo = Callable[..., Path]


def answer(route: Any, status: int, code: str, detail: str, **headers: str) -> None:
    document = {"status": status, "code": code, "detail": detail, "request_id": "r-1"}
    route.fulfill(
        status=status,
        headers={"Content-Type": "application/problem+json", **headers},
        body=json.dumps(document),
    )


@pytest.fixture
def troubled(open_page: Open, service: str) -> Any:
    """A page whose failed requests are part of the test."""
    return open_page(service, expected=("Failed to load resource",))


@pytest.mark.parametrize("place", ["service", "web"])
def test_what_is_no_photograph(
    open_page: Open, place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    address = request.getfixturevalue(place)
    troubled = open_page(address, expected=("Failed to load resource",))
    path = tmp_path / "notes.jpg"
    path.write_text("these are words")
    restore(troubled, path)
    troubled.get_by_role("heading", name="This file cannot be read as a photograph").wait_for()
    assert "AVIF, BMP and GIF can be read" in troubled.locator("#trouble-text").inner_text()
    assert troubled.get_by_text("Request ").inner_text().removeprefix("Request ").isalnum()
    assert "notes.jpg" in troubled.get_by_role("alert").text_content()
    # Trying again would change nothing.
    assert not troubled.get_by_role("button", name="Try again").is_visible()
    troubled.get_by_role("button", name="Remove", exact=True).click()
    troubled.get_by_role("heading", name="Restore photographs").wait_for()
    assert troubled.evaluate("document.activeElement.id") == "files"


def test_a_damaged_photograph(troubled: Any, photo: Photo) -> None:
    path = photo("torn.jpg", 400, 300)
    path.write_bytes(path.read_bytes()[:700])
    restore(troubled, path)
    troubled.get_by_role("heading", name="The photograph is damaged").wait_for()


def test_a_busy_service_is_asked_again_when_it_says(troubled: Any, photo: Photo) -> None:
    keys = []

    def refuse_twice(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) <= 2:
            status, code = ((503, "queue-full"), (429, "rate-limited"))[len(keys) - 1]
            answer(route, status, code, "later", **{"Retry-After": "1"})
        else:
            route.continue_()

    troubled.route("**/v1/jobs", refuse_twice)
    states = note_states(troubled)
    restore(troubled, photo())
    finish(troubled)
    assert sum("The service is busy, again in 1.0 s" in state for state in states()) == 2
    # One photograph, however often it is sent.
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_connection_that_breaks_while_a_job_runs(troubled: Any, photo: Photo) -> None:
    asked: list[str] = []
    troubled.on("request", lambda request: asked.append(f"{request.method} {request.url}"))
    troubled.route("**/v1/jobs/*/events", lambda route: route.abort())
    states = note_states(troubled)
    restore(troubled, photo())
    finish(troubled)
    assert any("Connection lost, again in" in state for state in states())
    # What became of it was asked of the job itself; it was not sent again.
    assert sum(line.endswith("/v1/jobs") for line in asked) == 1
    assert any(re.fullmatch(r"GET http://[^/]+/v1/jobs/\w+", line) for line in asked)


def test_a_service_that_is_not_there(troubled: Any, photo: Photo) -> None:
    troubled.route("**/v1/jobs", lambda route: route.abort())
    restore(troubled, photo())
    troubled.get_by_role("heading", name="The service cannot be reached").wait_for()
    troubled.unroute("**/v1/jobs")
    troubled.get_by_role("button", name="Try again").click()
    finish(troubled)


def test_a_result_that_breaks_off_is_fetched_again(troubled: Any, photo: Photo) -> None:
    fetched: list[str] = []
    sent: list[str] = []

    def break_once(route: Any) -> None:
        fetched.append(route.request.url)
        if len(fetched) == 1:
            route.abort()
        else:
            route.continue_()

    troubled.on("request", lambda asked: asked.url.endswith("/jobs") and sent.append(asked.url))
    troubled.route("**/v1/jobs/*/result", break_once)
    restore(troubled, photo())
    finish(troubled)
    assert len(sent) == 1
    assert len(fetched) == 2


def test_trying_again_asks_for_the_same_job_where_it_may_have_been_taken(
    troubled: Any, photo: Photo
) -> None:
    keys = []

    def lose_the_answer(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.abort()
        else:
            route.continue_()

    troubled.route("**/v1/jobs", lose_the_answer)
    restore(troubled, photo())
    troubled.get_by_role("button", name="Try again").click()
    finish(troubled)
    troubled.get_by_role("button", name="Restore again with these options").click()
    finish(troubled)
    wait_until(lambda: len(keys) == 3)
    assert keys[0] == keys[1] != keys[2]


def test_what_is_stopped_while_it_is_fetched_is_not_kept(
    troubled: Any, photo: Photo, service: str
) -> None:
    troubled.route("**/v1/jobs/*/result", lambda route: None)
    with troubled.expect_response(lambda answer: answer.url.endswith("/v1/jobs")) as made:
        restore(troubled, photo())
    job = made.value.json()["id"]
    troubled.locator("#panel-state", has_text="Fetching").wait_for()
    troubled.get_by_role("button", name="Cancel", exact=True).click()
    troubled.get_by_role("heading", name="Stopped").wait_for()
    assert httpx.get(f"{service}/v1/jobs/{job}/result", timeout=60).status_code in (404, 409, 410)


def test_a_question_does_not_hold_up_the_others(troubled: Any, photo: Photo) -> None:
    estimate = {"output_width": 16000, "output_height": 12000, "seconds": 95, "memory_bytes": 9}
    troubled.route("**/v1/estimate", lambda route: route.fulfill(json=estimate))
    large = [photo(f"{name}.jpg", 4000, 3000) for name in ("one", "two")]
    choose(troubled, *large, photo("small.png"))
    troubled.get_by_role("radio", name="4×").check()  # noqa: RUF001
    for name in ("one", "two"):
        troubled.get_by_role("button", name=f"{name}.jpg 4,000 × 3,000").wait_for()  # noqa: RUF001
    troubled.get_by_role("button", name="Restore 3 photographs").click()
    wait_until(lambda: troubled.locator('.item[data-state="done"]').count() == 1)
    assert troubled.locator('.item[data-state="asking"]').count() == 2
    troubled.get_by_role("button", name="Skip it").click()
    troubled.get_by_role("heading", name="Stopped").wait_for()


def test_answered_questions_wait_their_turn(troubled: Any, photo: Photo) -> None:
    estimate = {"output_width": 16000, "output_height": 12000, "seconds": 95, "memory_bytes": 9}
    troubled.route("**/v1/estimate", lambda route: route.fulfill(json=estimate))
    troubled.route("**/v1/jobs", lambda route: None)
    names = ("one.jpg", "two.jpg", "three.jpg", "four.jpg")
    choose(troubled, *(photo(name, 4000, 3000) for name in names))
    troubled.get_by_role("radio", name="4×").check()  # noqa: RUF001
    for name in names:
        troubled.get_by_role("button", name=f"{name} 4,000 × 3,000").wait_for()  # noqa: RUF001
    troubled.get_by_role("button", name="Restore 4 photographs").click()
    wait_until(lambda: troubled.locator('.item[data-state="asking"]').count() == 4)
    for name in names:
        troubled.get_by_role("button", name=f"{name} Waiting for your answer").click()
        troubled.get_by_role("button", name="Continue").click()

    def states() -> list[str]:
        return [str(one.get_attribute("data-state")) for one in troubled.locator(".item").all()]

    assert states() == ["sending", "sending", "line", "line"]
    # What waits can still be left out, and what comes to its turn goes on where it was.
    troubled.get_by_role("button", name="Cancel three.jpg").click()
    assert states() == ["sending", "sending", "stopped", "line"]
    with troubled.expect_request("**/v1/jobs"):
        troubled.get_by_role("button", name="Cancel one.jpg").click()
    assert states() == ["stopped", "sending", "stopped", "sending"]


def test_a_key_with_what_no_key_has(open_page: Open, service: str, photo: Photo) -> None:
    page = open_page(service, expected=("Failed to load resource",))
    keys: list[str | None] = []

    def want_a_key(route: Any) -> None:
        keys.append(route.request.headers.get("authorization"))
        if keys[-1] is None:
            answer(route, 401, "unauthorized", "a key is needed")
        else:
            route.continue_()

    page.route("**/v1/jobs", want_a_key)
    restore(page, photo())
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.get_by_label("API key").fill(" hf_a\u200bbc \u00a0")
    dialog.get_by_role("button", name="Use this key").click()
    finish(page)
    assert keys == [None, "Bearer hf_abc"]


def test_large_work_is_asked_about_first(troubled: Any, photo: Photo) -> None:
    estimate = {
        "output_width": 16000,
        "output_height": 12000,
        "seconds": 95,
        "memory_bytes": 1_200_000_000,
    }
    troubled.route("**/v1/estimate", lambda route: route.fulfill(json=estimate))
    jobs = []
    troubled.on("request", lambda request: request.url.endswith("/jobs") and jobs.append(request))
    choose(troubled, photo("wide.jpg", 4000, 3000))
    troubled.get_by_role("radio", name="4×").check()  # noqa: RUF001
    # The size of the photograph has to be known before it is judged.
    troubled.get_by_role("button", name="wide.jpg 4,000 × 3,000").wait_for()  # noqa: RUF001
    troubled.get_by_role("button", name="Restore 1 photograph").click()
    question = troubled.get_by_role("group", name="192 megapixels")
    assert "about 1 min 35 s and 1.2 GB" in question.inner_text()
    question.get_by_role("button", name="Skip it").click()
    troubled.get_by_role("heading", name="Stopped").wait_for()
    assert not jobs


def test_a_key_is_asked_for_once_and_kept_in_the_tab(
    open_page: Open, start: Callable[..., str], photo: Photo, tmp_path: Path
) -> None:
    import subprocess
    import sys

    keys = tmp_path / "keys"
    made = subprocess.run(
        [sys.executable, "-m", "hyperfocal", "serve", "keys", "add", "page", "--keys", str(keys)],
        capture_output=True,
        text=True,
        check=True,
    )
    address = start("serve", "--workers", "1", "--models", "bicubic-x2", "--keys", str(keys))
    page = open_page(address, expected=("Failed to load resource",))
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.get_by_label("API key").fill("hf_wrong")
    dialog.get_by_role("button", name="Use this key").click()
    dialog.get_by_text("That key was not accepted").wait_for()
    dialog.get_by_label("API key").fill(made.stdout.strip())
    dialog.get_by_role("button", name="Use this key").click()
    choose(page, photo())
    page.get_by_text("More options").click()
    page.get_by_role("combobox", name="Model").select_option("bicubic")
    page.get_by_role("button", name="Restore 1 photograph").click()
    finish(page)
    assert not dialog.is_visible()
    assert page.evaluate("localStorage.length") == 0
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Forget the key").click()
    wait_until(lambda: page.evaluate("sessionStorage.length") == 0)


def test_who_has_no_key_is_asked_once(open_page: Open, service: str, photo: Photo) -> None:
    page = open_page(service, expected=("Failed to load resource",))
    asked: list[str | None] = []

    def want_a_key(route: Any) -> None:
        asked.append(route.request.headers.get("authorization"))
        if asked[-1] is None:
            answer(route, 401, "unauthorized", "a key is needed")
        else:
            route.continue_()

    page.route("**/v1/jobs", want_a_key)
    restore(page, *(photo(f"{name}.png", seed=seed) for seed, name in enumerate("abcde")))
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="A key is needed").wait_for()
    wait_until(lambda: page.locator('.item[data-state="failed"]').count() == 2)
    assert page.locator('.item[data-state="ready"]').count() == 3
    page.get_by_role("status").get_by_text("Not started: 3 photographs.").wait_for(state="attached")
    assert not dialog.is_visible()
    assert asked == [None, None]
    # Who comes back to it is asked again, of the rest as of those that were refused.
    page.get_by_role("button", name="Restore 3 photographs").click()
    dialog.get_by_role("button", name="Cancel").click()
    wait_until(lambda: page.locator('.item[data-state="failed"]').count() == 4)
    assert page.locator('.item[data-state="ready"]').count() == 1
    page.get_by_role("button", name="Try again").click()
    dialog.get_by_label("API key").fill("hf_abc")
    dialog.get_by_role("button", name="Use this key").click()
    finish(page)


def test_a_refused_key_leaves_the_earlier_results(
    open_page: Open, service: str, photo: Photo
) -> None:
    page = open_page(service, expected=("Failed to load resource",))
    restore(page, photo())
    finish(page)
    page.route("**/v1/jobs", lambda route: answer(route, 401, "unauthorized", "a key is needed"))
    page.get_by_role("button", name="Restore again with these options").click()
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("heading", name="A key is needed").wait_for()
    page.locator("#trouble-text", has_text="The earlier result is kept.").wait_for()
    finish(page)


def test_what_may_be_large_is_asked_about_first_too(troubled: Any, tmp_path: Path) -> None:
    """Before the list has come to its size, and where the browser cannot tell it."""
    estimate = {"output_width": 18000, "output_height": 12000, "seconds": 95, "memory_bytes": 9}
    troubled.route("**/v1/estimate", lambda route: route.fulfill(json=estimate))
    jobs = []
    troubled.on("request", lambda request: request.url.endswith("/jobs") and jobs.append(request))
    wide, scan = tmp_path / "wide.jpg", tmp_path / "scan.tif"
    Image.new("RGB", (9000, 6000), (90, 120, 150)).save(wide)
    Image.new("RGB", (700, 500)).save(scan)
    assert scan.stat().st_size > 1e6 > wide.stat().st_size
    for path in (wide, scan):
        restore(troubled, path)
        row = troubled.locator('.item[data-state="asking"]', has_text=path.name)
        row.wait_for()
        troubled.get_by_role("group", name="216 megapixels").wait_for()
        row.get_by_role("button", name=f"Cancel {path.name}").click()
    assert not jobs


def test_an_empty_file(troubled: Any, tmp_path: Path) -> None:
    sent = []
    troubled.on("request", lambda request: "/v1/jobs" in request.url and sent.append(request))
    path = tmp_path / "lake.jpg"
    path.touch()
    choose(troubled, path)
    troubled.get_by_role("button", name="Restore 1 photograph").click()
    troubled.get_by_role("heading", name="The file is empty").wait_for()
    assert troubled.locator("#trouble-text").inner_text() == "Choose another copy."
    assert not troubled.get_by_role("button", name="Try again").is_visible()
    assert not sent
    troubled.get_by_role("button", name="Remove", exact=True).click()
    troubled.get_by_role("heading", name="Restore photographs").wait_for()
