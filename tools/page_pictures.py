"""Make docs/images/page/*.webp: the page in a browser, empty, at work, with a result and an error.

Starts ``hyperfocal serve`` on a free port and drives it by Playwright. Needs the extra ``test`` and
a Chromium. The photograph is the sample (examples/README.md). Pictures that show a result tell, as
their description, which weights made it; tests/test_pictures.py compares that with the card.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import chromium
import httpx
import stamp
from measured import weights
from PIL import Image

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "images" / "page"
SAMPLE = ROOT / "examples" / "astronaut.jpg"
# Which model the page takes for it.
MODEL = "photo-fast-x2"
DESK: dict[str, Any] = {"viewport": {"width": 1200, "height": 820}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}
_PATIENCE = 120.0


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Address of a service of its own, ready."""
    with (folder / "log").open("w") as log:
        program = subprocess.Popen(
            [sys.executable, "-m", "hyperfocal", "serve", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "HYPERFOCAL_SERVER_DATA": str(folder / "data")},
        )
    try:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        ends = time.monotonic() + _PATIENCE
        while httpx.get(f"{address}/readyz", trust_env=False).status_code != 200:
            if time.monotonic() > ends:
                raise TimeoutError((folder / "log").read_text())
            time.sleep(0.1)
        yield address
    finally:
        program.terminate()
        program.wait(60)


def choose(page: Any, *paths: Path) -> None:
    """Give photographs to the page, and wait until it knows them."""
    page.get_by_label("Choose photographs").set_input_files([str(path) for path in paths])
    page.locator("#before img").wait_for()


def restore(page: Any) -> None:
    """Press the button, and wait for all results."""
    page.locator("#start").click()
    page.get_by_role("link", name="Download", exact=True).wait_for()
    page.locator('.item:not([data-state="done"])').wait_for(state="detached")
    page.locator("#after img").wait_for()


def empty(page: Any, _: Path) -> None:
    """Nothing yet."""
    page.get_by_role("heading", name="Restore photographs").wait_for()


def chosen(page: Any, folder: Path) -> None:
    """Several photographs."""
    sample = Image.open(SAMPLE)
    paths = [SAMPLE, folder / "portrait.png", folder / "shuttle.webp"]
    sample.crop((70, 0, 180, 120)).save(paths[1])
    sample.crop((170, 0, 256, 150)).save(paths[2], quality=90)
    choose(page, *paths)


def result(page: Any, _: Path) -> None:
    """Before and after."""
    choose(page, SAMPLE)
    restore(page)


def close(page: Any, folder: Path) -> None:
    """A pixel of the result on a pixel of the screen, four times as large."""
    result(page, folder)
    page.get_by_role("button", name="1:1").click()
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()


def error(page: Any, folder: Path) -> None:
    """What is no photograph."""
    path = folder / "notes.jpg"
    path.write_text("these are words")
    page.get_by_label("Choose photographs").set_input_files(str(path))
    page.locator("#start").click()
    page.locator("#trouble").wait_for()


def verdict(page: Any, folder: Path) -> None:
    """What is wrong with a result."""
    result(page, folder)
    page.get_by_role("button", name="Not good").click()
    page.get_by_label("Still blurry").check()
    page.get_by_label("Comment").fill("The patch could be sharper.")
    page.get_by_role("button", name="Send").scroll_into_view_if_needed()


PICTURES: dict[str, tuple[Callable[[Any, Path], None], dict[str, Any]]] = {
    "empty": (empty, DESK),
    "chosen": (chosen, DESK),
    "result": (result, DESK),
    "close": (close, DESK),
    "dark": (result, DESK | {"color_scheme": "dark"}),
    "error": (error, DESK),
    "feedback": (verdict, DESK),
    "phone-empty": (empty, PHONE),
    "phone-result": (result, PHONE),
}
# Those with something that a model made.
RESULTS = {name for name, (do, _) in PICTURES.items() if do in (result, close, verdict)}


def keep(taken: Image.Image, name: str, folder: Path) -> Path:
    """Write the picture of that name, which tells the weights of a result it shows; its file."""
    path = folder / f"{name}.webp"
    told = weights(MODEL)[MODEL] if name in RESULTS else ""
    stamp.save(taken.convert("RGB"), path, told, quality=82)
    return path


def main() -> None:
    """Write the pictures and say how large they are."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], help="which; else all")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    path_of_browser = chromium.find()
    if path_of_browser is None:
        parser.error("there is no Chromium here")
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as address,
        sync_playwright() as playwright,
    ):
        browser = chromium.launch(playwright, path_of_browser)
        for name in given.names or PICTURES:
            do, options = PICTURES[name]
            context = browser.new_context(reduced_motion="reduce", **options)
            page = context.new_page()
            page.goto(address)
            do(page, Path(folder))
            path = keep(Image.open(io.BytesIO(page.screenshot())), name, given.out)
            print(f"{path.name}: {path.stat().st_size:,} bytes")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
