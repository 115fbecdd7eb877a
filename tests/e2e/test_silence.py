"""A service that is gone without having closed a connection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from doing import finish, note_states, restore
from running import wait_until

Open = Callable[..., Any]
Photo = Callable[..., Path]

# In the place of fetch, an answer that says what it is told to; a stop ends it, as it ends a real
# one.
FOLLOW = """async () => {
  const { Api } = await import(new URL("static/api.js", location.href));
  window.fetch = async (path, { signal }) => new Response(new ReadableStream({
    start(out) {
      window.say = (text) => out.enqueue(new TextEncoder().encode(text));
      signal.addEventListener("abort", () => out.error(signal.reason));
    },
  }));
  window.heard = [];
  window.stop = new AbortController();
  (async () => {
    try {
      const events = new Api().events("v1/jobs/a/events", stop.signal);
      for await (const event of events) heard.push(event.data);
    } catch (problem) {
      heard.push(problem.code ?? problem.constructor.name);
    }
  })();
}"""

# The first result that is fetched begins, and says no more than it is told to.
DOWNLOAD = """() => {
  const real = window.fetch;
  window.begun = [];
  window.fetch = (path, options) => {
    if (!path.endsWith("/result") || begun.length) return real(path, options);
    return Promise.resolve(new Response(new ReadableStream({
      start(out) {
        begun.push(out);
        options.signal.addEventListener("abort", () => out.error(options.signal.reason));
      },
    })));
  };
}"""

# What is sent arrives, but its answer is held back until holding ends or it is said.
UPLOAD = """() => {
  const Real = window.XMLHttpRequest;
  window.holding = true;
  window.held = [];
  window.XMLHttpRequest = class extends Real {
    send(form) {
      if (holding) {
        const { onload, onloadend } = this;
        this.onload = () => held.push(() => { onload(); onloadend?.(); });
        this.onloadend = null;
      }
      super.send(form);
    }
  };
}"""


def test_a_job_whose_events_do_not_come_is_asked_for(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/jobs/*/events", lambda route: None)
    states = note_states(own_page)
    with own_page.expect_request("**/v1/jobs/*/events"):
        restore(own_page, photo())
    own_page.clock.fast_forward(20_000)
    finish(own_page)
    assert any("Connection lost, again in" in state for state in states())


def test_a_job_that_does_not_answer_is_asked_for_again(own_page: Any, photo: Photo) -> None:
    asked: list[str] = []

    def hold_the_first(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            route.continue_()

    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/jobs/*/events", lambda route: None)
    own_page.route("**/v1/jobs/*", hold_the_first)
    with own_page.expect_request("**/v1/jobs/*/events"):
        restore(own_page, photo())
    with own_page.expect_request(lambda request: not request.url.endswith("/events")):
        own_page.clock.fast_forward(20_000)
    wait_until(lambda: bool(own_page.title()) and len(asked) == 1)
    # Or the second answer would be that it is still at work.
    wait_until(lambda: own_page.request.get(asked[0]).json()["status"] == "succeeded")
    with own_page.expect_request("**/v1/jobs/*/events"):
        own_page.clock.fast_forward(20_000)
    own_page.clock.fast_forward(20_000)
    finish(own_page)
    assert len(asked) == 2


def test_a_result_that_stops_coming_is_fetched_again(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.evaluate(DOWNLOAD)
    states = note_states(own_page)
    restore(own_page, photo())
    wait_until(lambda: own_page.evaluate("begun.length") == 1)
    own_page.clock.fast_forward(19_000)
    own_page.evaluate("begun[0].enqueue(new Uint8Array(1))")
    wait_until(lambda: own_page.evaluate("begun[0].desiredSize") == 1)
    own_page.clock.fast_forward(19_000)
    assert not any("Connection lost" in state for state in states())
    own_page.clock.fast_forward(1_000)
    wait_until(lambda: any("Connection lost, again in" in state for state in states()))
    own_page.clock.fast_forward(20_000)
    finish(own_page)
    assert own_page.evaluate("begun.length") == 1


def test_events_may_go_on_for_as_long_as_some_come(own_page: Any) -> None:
    own_page.clock.install(time=0)
    own_page.reload()
    own_page.clock.pause_at(60_000)
    own_page.evaluate(FOLLOW)
    for at in range(3):
        own_page.evaluate("(at) => say(`event: job\\ndata: ${at}\\n\\n`)", at)
        wait_until(lambda: len(own_page.evaluate("heard")) == at + 1)  # noqa: B023
        own_page.clock.run_for(19_000)
    assert own_page.evaluate("heard") == ["0", "1", "2"]
    own_page.clock.run_for(1_000)
    wait_until(lambda: own_page.evaluate("heard") == ["0", "1", "2", "unreachable"])


def test_who_stops_does_not_call_it_silence(own_page: Any) -> None:
    own_page.evaluate(FOLLOW)
    own_page.evaluate("stop.abort()")
    wait_until(lambda: own_page.evaluate("heard") == ["Stopped"])


def test_what_was_sent_and_is_not_answered_holds_up_nothing(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.evaluate(UPLOAD)
    restore(own_page, *(photo(f"{name}.png", seed=seed) for seed, name in enumerate("abc")))
    wait_until(lambda: own_page.evaluate("held.length") == 2)
    own_page.get_by_role("button", name="Cancel a.png").click()
    # An answer may still come: only that tells what has to be cancelled.
    own_page.clock.fast_forward(30_000)
    assert own_page.locator('.item[data-state="stopping"]').count() == 1
    assert own_page.locator('.item[data-state="line"]').count() == 1
    own_page.evaluate("holding = false")
    own_page.clock.fast_forward(30_000)
    wait_until(lambda: own_page.locator('.item[data-state="failed"]').count() == 2)
    wait_until(lambda: own_page.locator('.item[data-state="done"]').count() == 1)
    # There may be a job, so nobody says that nothing is kept; trying again finds it.
    own_page.get_by_role("heading", name="The service cannot be reached").wait_for()
    with own_page.expect_response("**/v1/jobs") as again:
        own_page.get_by_role("button", name="Try again").click()
    finish(own_page)
    assert again.value.headers["idempotency-replayed"] == "true"


def test_what_is_stopped_before_it_is_answered_is_cancelled(
    own_page: Any, photo: Photo, service: str
) -> None:
    own_page.evaluate(UPLOAD)
    with own_page.expect_response("**/v1/jobs") as made:
        restore(own_page, photo())
    wait_until(lambda: own_page.evaluate("held.length") == 1)
    own_page.get_by_role("button", name="Cancel", exact=True).click()
    own_page.evaluate("held[0]()")
    own_page.get_by_role("heading", name="Stopped").wait_for()
    job = httpx.get(f"{service}/v1/jobs/{made.value.json()['id']}", timeout=60).json()
    assert job["status"] in ("cancelled", "expired")


def test_a_service_that_does_not_answer_a_stop(own_page: Any, photo: Photo) -> None:
    def hold_the_stop(route: Any) -> None:
        if route.request.method != "DELETE":
            route.continue_()

    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/jobs/*", hold_the_stop)
    own_page.route("**/v1/jobs/*/events", lambda route: None)
    with own_page.expect_request("**/v1/jobs/*/events"):
        restore(own_page, photo())
    with own_page.expect_request(lambda request: request.method == "DELETE"):
        own_page.get_by_role("button", name="Cancel", exact=True).click()
    own_page.clock.fast_forward(20_000)
    own_page.get_by_role("heading", name="The service cannot be reached").wait_for()


def test_who_is_asked_for_a_key_is_not_hurried(open_page: Open, service: str, photo: Photo) -> None:
    page = open_page(service, expected=("Failed to load resource",))

    def want_a_key(route: Any) -> None:
        if route.request.method == "DELETE" and "authorization" not in route.request.headers:
            route.fulfill(status=401)
        else:
            route.continue_()

    page.clock.install()
    page.reload()
    page.route("**/v1/jobs/*", want_a_key)
    page.route("**/v1/jobs/*/events", lambda route: None)
    with page.expect_request("**/v1/jobs/*/events"):
        restore(page, photo())
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog", name="This service needs a key")
    dialog.get_by_label("API key").fill("hf_abc")
    page.clock.fast_forward(20_000)
    dialog.get_by_role("button", name="Use this key").click()
    page.get_by_role("heading", name="Stopped").wait_for()


def test_an_estimate_that_does_not_come_is_told(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/estimate", lambda route: None)
    own_page.get_by_label("Choose photographs").set_input_files(photo("wide.jpg", 4000, 3000))
    own_page.get_by_role("radio", name="4×").check()  # noqa: RUF001
    own_page.get_by_role("button", name="wide.jpg 4,000 × 3,000").wait_for()  # noqa: RUF001
    with own_page.expect_request("**/v1/estimate"):
        own_page.get_by_role("button", name="Restore 1 photograph").click()
    own_page.clock.fast_forward(59_000)
    assert own_page.locator('.item[data-state="estimating"]').count() == 1
    own_page.clock.fast_forward(5_000)
    own_page.get_by_role("heading", name="The service cannot be reached").wait_for()
    # Who does not wait for it need not.
    with own_page.expect_request("**/v1/estimate"):
        own_page.get_by_role("button", name="Try again").click()
    own_page.get_by_role("button", name="Cancel", exact=True).click()
    own_page.get_by_role("heading", name="Stopped").wait_for()


def test_a_verdict_that_is_not_answered_can_be_sent_again(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/feedback", lambda route: None)
    restore(own_page, photo())
    finish(own_page)
    own_page.get_by_role("button", name="Not good").click()
    own_page.get_by_label("Comment").fill("hm")
    with own_page.expect_request("**/v1/feedback"):
        own_page.get_by_role("button", name="Send").click()
    own_page.get_by_role("status").get_by_text("Sending …").wait_for()
    own_page.clock.fast_forward(60_000)
    own_page.get_by_role("status").get_by_text("The service cannot be reached").wait_for()
    assert own_page.get_by_label("Comment").input_value() == "hm"
    own_page.unroute("**/v1/feedback")
    own_page.get_by_role("button", name="Send").click()
    own_page.get_by_text("Thank you.").wait_for()


def test_a_picture_to_look_at_that_does_not_come_is_told(own_page: Any, photo: Photo) -> None:
    own_page.clock.install()
    own_page.reload()
    own_page.route("**/v1/upscale", lambda route: None)
    with own_page.expect_request("**/v1/upscale"):
        restore(own_page, photo("scan.tif", 90, 60))
    own_page.clock.fast_forward(60_000)
    own_page.get_by_text("the service could not help: the service cannot be reached").wait_for()


def test_what_is_still_under_way_is_no_silence(own_page: Any) -> None:
    """By a request that says when a part has been taken, and when a part of the answer comes."""
    own_page.clock.install(time=0)
    own_page.reload()
    own_page.clock.pause_at(60_000)
    own_page.evaluate(
        """async () => {
          const { Api } = await import(new URL("static/api.js", location.href));
          window.XMLHttpRequest = class {
            upload = {};
            constructor() { window.request = this; }
            open() {}
            setRequestHeader() {}
            send() {}
            abort() { this.onabort(); }
          };
          window.heard = [];
          const asked = new Api().consult("v1/estimate", new FormData());
          asked.catch((problem) => heard.push(problem.code));
        }"""
    )
    for part in (
        "request.upload.onprogress({})",
        "request.upload.onload()",
        "request.onprogress()",
    ):
        own_page.clock.run_for(50_000)
        own_page.evaluate(part)
    assert own_page.evaluate("heard") == []
    own_page.clock.run_for(60_000)
    wait_until(lambda: own_page.evaluate("heard") == ["unreachable"])
