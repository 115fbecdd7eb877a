"""What a visitor does on the page, by what they can see or hear."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image


def choose(page: Any, *paths: Path) -> None:
    page.get_by_label("Choose photographs").set_input_files([str(path) for path in paths])


def restore(page: Any, *paths: Path) -> None:
    choose(page, *paths)
    page.get_by_role("button", name="Restore", exact=False).first.click()


def note_states(page: Any) -> Callable[[], list[str]]:
    """From now on; gives what the state of the photograph was called, one after the other.

    Some last for a second only, which is soon missed by who asks now and then.
    """
    page.evaluate(
        """() => {
          window.states = [];
          const state = document.getElementById("panel-state");
          const note = () => states.push(state.textContent);
          new MutationObserver(note).observe(state, { childList: true });
        }"""
    )
    return lambda: list(page.evaluate("states"))


def finish(page: Any) -> None:
    page.get_by_role("link", name="Download", exact=True).wait_for()


def download(page: Any) -> tuple[str, Image.Image]:
    """Name and picture of what the Download link gives."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download", exact=True).click()
    return waiting.value.suggested_filename, Image.open(
        io.BytesIO(Path(waiting.value.path()).read_bytes())
    )


def divider(page: Any) -> Any:
    return page.get_by_role("slider", name="Divider between before and after")


def position(page: Any) -> int:
    return int(divider(page).get_attribute("aria-valuenow"))


def zoom(page: Any) -> str:
    return str(page.get_by_label("Zoom", exact=True).inner_text())


def boxes(page: Any) -> list[dict[str, float]]:
    """Where before and after lie, once both are there.

    They come a moment after the result, and with them what they are looked at with.
    """
    # Not by a script that is asked again and again: the policy of the page forbids those.
    for picture in ("#before img", "#after img"):
        page.locator(picture).wait_for()
    # Both at one moment: the stage may still be about to change its size.
    found = page.evaluate(
        """() => ["#before img", "#after img"].map((name) => {
          const { x, y, width, height } = document.querySelector(name).getBoundingClientRect();
          return { x, y, width, height };
        })"""
    )
    return list(found)
