"""What a visitor has made or written is not lost without a word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from doing import choose, download, finish, restore
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
