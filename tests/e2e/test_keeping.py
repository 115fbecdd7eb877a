"""What a visitor has made or written is not lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from doing import boxes, choose, download, finish, restore
from running import wait_until

Open = Callable[..., Any]
Photo = Callable[..., Path]


def asks_before_leaving(page: Any) -> bool:
    """Whether the browser would ask."""
    return bool(page.evaluate("!dispatchEvent(new Event('beforeunload', { cancelable: true }))"))


def test_leaving_asks_where_a_result_was_not_saved(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo("one.png"))
    assert not asks_before_leaving(own_page)
    own_page.get_by_role("button", name="Restore 1 photograph").click()
    finish(own_page)
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    own_page.on("dialog", stay)
    own_page.evaluate("location.reload()")
    wait_until(lambda: bool(own_page.title()) and asked == ["beforeunload"])
    own_page.remove_listener("dialog", stay)
    download(own_page)
    assert not asks_before_leaving(own_page)
    # Another result is another one to save.
    own_page.get_by_role("button", name="Restore again with these options").click()
    own_page.locator(".item", has_text="240 × 160").wait_for()  # noqa: RUF001
    assert asks_before_leaving(own_page)
    restore(own_page, photo("two.png"))
    finish(own_page)
    own_page.get_by_role("button", name="Download all").click()
    wait_until(lambda: not asks_before_leaving(own_page))


def test_the_interface_is_told_in_a_new_tab(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo())
    with own_page.expect_popup() as opened:
        own_page.get_by_role("link", name="the API").click()
    assert opened.value.url.endswith("/docs")
    assert opened.value.evaluate("opener") is None
    assert own_page.get_by_role("heading", name="lake.png").is_visible()


def test_what_was_said_of_a_photograph_is_there_when_it_is_seen_again(
    own_page: Any, photo: Photo
) -> None:
    restore(own_page, photo("one.png"), photo("two.png", seed=2))
    wait_until(lambda: own_page.locator('.item[data-state="done"]').count() == 2)

    def look_at(name: str) -> None:
        own_page.locator(".item-open", has_text=name).click()
        own_page.get_by_role("heading", name=name).wait_for()

    look_at("one.png")
    own_page.get_by_role("button", name="Not good").click()
    own_page.get_by_label("Faces").check()
    own_page.get_by_label("Comment").fill("whose nose is this?")
    own_page.get_by_label("Keep my photograph").check()
    look_at("two.png")
    assert not own_page.get_by_label("Comment").is_visible()
    own_page.get_by_role("button", name="Good", exact=True).click()
    # Consent is for one photograph.
    assert not own_page.get_by_label("Keep my photograph").is_checked()
    look_at("one.png")
    pressed = own_page.get_by_role("button", name="Not good").get_attribute("aria-pressed")
    assert pressed == "true"
    assert own_page.get_by_label("Faces").is_checked()
    assert not own_page.get_by_label("Noise").is_checked()
    assert own_page.get_by_label("Comment").input_value() == "whose nose is this?"
    assert own_page.get_by_label("Keep my photograph").is_checked()


def test_a_verdict_that_takes_long_holds_up_no_other(own_page: Any, photo: Photo) -> None:
    held: list[Any] = []
    sent: list[Any] = []

    def hold_the_first(route: Any) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) == 1:
            held.append(route)
        else:
            route.continue_()

    own_page.route("**/v1/feedback", hold_the_first)
    restore(own_page, photo("one.png"), photo("two.png", seed=2))
    wait_until(lambda: own_page.locator('.item[data-state="done"]').count() == 2)
    for name, verdict in (("one.png", "Not good"), ("two.png", "Good")):
        own_page.locator(".item-open", has_text=name).click()
        own_page.get_by_role("button", name=verdict, exact=True).click()
        own_page.get_by_role("button", name="Send").click()
        if name == "one.png":
            own_page.get_by_role("status").get_by_text("Sending …").wait_for()
            assert own_page.evaluate("document.activeElement.id") == "feedback-said"
            assert own_page.get_by_role("button", name="Send").is_disabled()
    own_page.get_by_text("Thank you.").wait_for()
    own_page.locator(".item-open", has_text="one.png").click()
    own_page.get_by_text("Sending …").wait_for()
    held[0].continue_()
    own_page.get_by_text("Thank you.").wait_for()
    assert [one["verdict"] for one in sent] == ["down", "up"]


@pytest.mark.parametrize("ending", ["stopped", "stopped in line", "failed"])
def test_an_attempt_that_makes_nothing_leaves_the_earlier_result(
    open_page: Open, service: str, photo: Photo, ending: str
) -> None:
    page = open_page(service, expected=("Failed to load resource",))
    restore(page, photo("lake.png", 120, 80))
    finish(page)
    page.get_by_role("button", name="Not good").click()
    page.get_by_label("Comment").fill("hm")
    page.get_by_role("radio", name="3×").check()  # noqa: RUF001
    document = {"status": 422, "code": "too-large", "detail": "no room for that"}
    if ending == "failed":
        page.route("**/v1/jobs", lambda route: route.fulfill(status=422, json=document))
    else:
        page.route("**/v1/jobs", lambda route: None)
    if ending == "stopped in line":
        restore(page, photo("one.png"), photo("two.png"))
        wait_until(lambda: page.locator('.item[data-state="sending"]').count() == 2)
        page.locator(".item-open", has_text="lake.png").click()
    page.get_by_role("button", name="Restore again with these options").click()
    if ending != "failed":
        page.locator("#panel-cancel").click()
    title = "The photograph is too large" if ending == "failed" else "Stopped"
    page.get_by_role("heading", name=title).wait_for()
    kept = page.locator("#trouble-text", has_text="The earlier result is kept.")
    kept.wait_for()
    row = page.locator(".item", has_text="lake.png")
    assert row.get_attribute("data-state") == "done"
    assert f"{title}. The earlier result is kept." in row.inner_text()
    told = page.get_by_role("alert" if ending == "failed" else "status")
    told.filter(has_text=f"lake.png: {title}.").filter(has_text="earlier result").wait_for(
        state="attached"
    )
    boxes(page)
    name, result = download(page)
    assert (name, result.size) == ("lake@2x.png", (240, 160))
    # The draft was about this result, and so is the verdict.
    assert page.get_by_label("Comment").input_value() == "hm"
    with page.expect_response("**/v1/feedback") as judged:
        page.get_by_role("button", name="Send", exact=True).click()
    assert judged.value.status == 201
    # Nothing stands in the way of another attempt.
    page.unroute("**/v1/jobs")
    if ending == "stopped in line":
        for other in ("one.png", "two.png"):
            page.get_by_role("button", name=f"Cancel {other}").click()
    page.get_by_role("button", name="Try again" if ending == "failed" else "Start again").click()
    row.get_by_text("360 × 240").wait_for()  # noqa: RUF001
    assert not kept.is_visible()
    assert download(page)[0] == "lake@3x.png"
    assert page.get_by_role("button", name="Not good").get_attribute("aria-pressed") == "false"


def test_an_earlier_result_that_was_saved_stays_saved(own_page: Any, photo: Photo) -> None:
    restore(own_page, photo())
    finish(own_page)
    download(own_page)
    own_page.route("**/v1/jobs", lambda route: None)
    own_page.get_by_role("button", name="Restore again with these options").click()
    assert asks_before_leaving(own_page)
    own_page.get_by_role("button", name="Cancel", exact=True).click()
    own_page.get_by_text("The earlier result is kept.").first.wait_for()
    assert not asks_before_leaving(own_page)
