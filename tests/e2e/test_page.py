"""From a photograph to its result and back: what a visitor does, against a real service."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from doing import (
    boxes,
    choose,
    divider,
    download,
    finish,
    note_states,
    position,
    restore,
    zoom,
)
from PIL import Image
from running import wait_until

from hyperfocal.imaging.formats import FORMATS

Photo = Callable[..., Path]


def test_a_photograph_becomes_a_larger_one(page: Any, photo: Photo) -> None:
    restore(page, photo("lake.png", 120, 80))
    finish(page)
    name, result = download(page)
    assert name == "lake@2x.png"
    assert (result.format, result.size) == ("PNG", (240, 160))
    facts = page.get_by_role("region", name="lake.png").inner_text().replace("\xa0", " ")
    assert "120 × 80 → 240 × 160" in facts  # noqa: RUF001
    assert "photo-fast-x2" in facts
    assert "2× as wide" in facts  # noqa: RUF001
    assert re.search(r"(true|Loose|Far off), \d+\.\d dB", facts)
    page.get_by_text("lake.png is restored").wait_for(state="attached")


def test_options_are_what_the_service_gets(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo("lake.png", 120, 80))
    own_page.get_by_label("Long edge").first.check()
    own_page.get_by_role("spinbutton", name="Long edge").fill("300")
    own_page.get_by_text("More options").click()
    own_page.get_by_role("combobox", name="Model").select_option("bicubic")
    own_page.get_by_role("combobox", name="Format").select_option("webp")
    own_page.get_by_role("button", name="Restore 1 photograph").click()
    finish(own_page)
    name, result = download(own_page)
    assert name == "lake@300px.webp"
    assert (result.format, result.size) == ("WEBP", (300, 200))
    assert "bicubic" in own_page.locator("#facts").inner_text()


def test_why_a_model_was_chosen(open_page: Callable[..., Any], start: Any, tmp_path: Path) -> None:
    page = open_page(start("serve", "--workers", "1"))
    path = tmp_path / "worn.jpg"
    Image.effect_noise((160, 120), 40).convert("RGB").save(path, quality=20)
    restore(page, path)
    finish(page)
    facts = page.locator("#facts").inner_text()
    assert re.search(r"restore-fast-x2\s*chosen because .+; version \w{12}", facts), facts


def test_the_purpose_is_that_of_the_model_for_the_size(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo())
    own_page.get_by_text("More options").click()
    own_page.get_by_role("combobox", name="Model").select_option("photo-fast")
    for size, said in (("2×", "twice the size"), ("3×", "three times"), ("4×", "four times")):  # noqa: RUF001
        own_page.get_by_role("radio", name=size).check()
        purpose = own_page.locator("#purpose").inner_text()
        assert purpose.startswith("Made for 2×, 3×, 4×.")  # noqa: RUF001
        assert said in purpose


def test_the_better_models_can_be_had_without_choosing_between_them(
    own_page: Any, photo: Photo
) -> None:
    choose(own_page, photo())
    own_page.get_by_text("More options").click()
    own_page.get_by_role("combobox", name="Model").select_option("auto-fine")
    assert "slower and better" in own_page.locator("#digest").text_content()
    own_page.get_by_role("button", name="Restore").click()
    finish(own_page)
    assert re.search(r"(photo|restore)-fine-x2", own_page.locator("#facts").inner_text())


def test_the_divider_by_keyboard_and_by_mouse(page: Any, photo: Photo) -> None:
    restore(page, photo())
    finish(page)
    boxes(page)
    divider(page).focus()
    for key, at in (("ArrowRight", 52), ("ArrowLeft", 50), ("Home", 0), ("End", 100)):
        page.keyboard.press(key)
        assert position(page) == at
    assert divider(page).get_attribute("aria-valuetext") == "100 % before, 0 % after"
    page.keyboard.press("PageDown")
    assert position(page) == 90

    stage = page.locator("#stage").bounding_box()
    line = divider(page).bounding_box()
    page.mouse.move(line["x"] + line["width"] / 2, line["y"] + 30)
    page.mouse.down()
    page.mouse.move(stage["x"] + stage["width"] / 4, line["y"] + 30, steps=4)
    page.mouse.up()
    assert position(page) == 25
    # What is seen left of the divider is the before, right of it the after.
    clip = page.locator("#after").evaluate("e => getComputedStyle(e).clipPath")
    hidden = re.fullmatch(r"inset\(0px 0px 0px ([\d.]+)%\)", clip)
    assert hidden is not None, clip
    assert abs(float(hidden[1]) - 25) < 0.5


def test_before_and_after_zoom_and_move_together(own_page: Any, photo: Photo) -> None:
    restore(own_page, photo("lake.png", 700, 500))
    finish(own_page)
    before, after = boxes(own_page)
    assert before == after
    divider(own_page).focus()
    own_page.keyboard.press("1")
    assert zoom(own_page) == "100 %"
    before, after = boxes(own_page)
    assert before == after
    assert after["width"] == 1400
    own_page.keyboard.press("+")
    assert zoom(own_page) == "125 %"
    own_page.keyboard.press("Shift+ArrowRight")
    moved, also = boxes(own_page)
    assert moved == also
    stage = own_page.locator("#stage").bounding_box()
    own_page.mouse.move(stage["x"] + 100, stage["y"] + 100)
    own_page.mouse.down()
    own_page.mouse.move(stage["x"] + 160, stage["y"] + 130)
    own_page.mouse.up()
    dragged, too = boxes(own_page)
    assert dragged == too
    assert (dragged["x"] - moved["x"], dragged["y"] - moved["y"]) == (60, 30)
    own_page.keyboard.press("0")
    fitted, _ = boxes(own_page)
    assert fitted["height"] <= stage["height"] + 1
    assert own_page.get_by_role("button", name="Fit").get_attribute("aria-pressed") == "true"
    own_page.get_by_role("button", name="1:1").click()
    assert zoom(own_page) == "100 %"


def test_what_cannot_be_moved_is_not_enlarged(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo("lake.png", 3000, 2000))
    own_page.locator("#before img").wait_for()
    own_page.locator("#stage").dblclick()
    stage, picture = own_page.evaluate(
        """() => ["#stage", "#before img"].map(
          (name) => document.querySelector(name).getBoundingClientRect().width
        )"""
    )
    assert picture <= stage + 1


def test_a_panorama_gets_a_low_stage(own_page: Any, photo: Photo) -> None:
    heights = []
    for name, width in (("square.png", 80), ("wide.png", 200)):
        choose(own_page, photo(name, width, 80))
        own_page.get_by_role("img", name=name).wait_for()
        stage = own_page.locator("#stage").bounding_box()
        picture = own_page.get_by_role("img", name=name).bounding_box()
        heights.append(stage["height"])
        assert picture["height"] <= stage["height"] + 1
    assert heights[1] < 0.8 * heights[0]
    assert abs(picture["width"] - stage["width"]) < 2


def test_the_before_is_the_photograph_itself(own_page: Any, photo: Photo) -> None:
    restore(own_page, photo("lake.png", 120, 80))
    finish(own_page)
    boxes(own_page)
    sizes = own_page.evaluate(
        "[...document.querySelectorAll('.layer img')].map(e => [e.naturalWidth, e.naturalHeight])"
    )
    assert sizes == [[120, 80], [240, 160]]
    assert own_page.get_by_role("img", name="Before: lake.png").is_visible()
    assert own_page.get_by_role("img", name="After: lake.png, restored").is_visible()


def test_several_photographs_each_get_their_own_result(page: Any, photo: Photo) -> None:
    sizes = {f"{name}.png": 60 + 8 * at for at, name in enumerate(("one", "two", "three", "four"))}
    restore(page, *(photo(name, width, 60, width) for name, width in sizes.items()))
    wait_until(lambda: page.locator('.item[data-state="done"]').count() == len(sizes))
    for name, width in sizes.items():
        page.get_by_role("button", name=re.compile(rf"^{name}")).click()
        page.get_by_role("heading", name=name).wait_for()
        saved, result = download(page)
        assert saved == name.replace(".", "@2x.")
        assert result.size == (2 * width, 120)
    assert page.get_by_role("button", name="Download all").is_visible()
    page.get_by_role("button", name="Clear finished").click()
    page.get_by_role("heading", name="Restore photographs").wait_for()


def test_all_are_downloaded_however_many(page: Any, photo: Photo) -> None:
    """Chromium drops what a page saves beyond ten at once."""
    names = [f"p{at:02}.png" for at in range(12)]
    choose(page, *(photo(name, 40, 40, at) for at, name in enumerate(names)))
    page.get_by_text("More options").click()
    page.get_by_role("combobox", name="Model").select_option("bicubic")
    page.get_by_role("button", name="Restore 12 photographs").click()
    wait_until(lambda: page.locator('.item[data-state="done"]').count() == len(names))
    saved: list[str] = []
    page.on("download", lambda one: saved.append(one.suggested_filename))
    page.get_by_role("button", name="Download all").click()
    # Asking the page lets what it says arrive.
    wait_until(lambda: bool(page.title()) and len(saved) == len(names))
    assert sorted(saved) == [name.replace(".", "@2x.") for name in names]


def test_all_are_downloaded_as_they_were_when_it_was_pressed(own_page: Any, photo: Photo) -> None:
    """Beyond five there is a pause, in which much may happen to the others."""
    own_page.clock.install(time=0)
    own_page.reload()
    names = [f"p{at}.png" for at in range(7)]
    choose(own_page, *(photo(name, 40, 40, at) for at, name in enumerate(names)))
    own_page.get_by_role("button", name="Restore 7 photographs").click()
    wait_until(lambda: own_page.locator('.item[data-state="done"]').count() == len(names))
    saved: list[str] = []
    own_page.on("download", lambda one: saved.append(one.suggested_filename))
    own_page.clock.pause_at(3_600_000)
    own_page.get_by_role("button", name="Download all").click()
    wait_until(lambda: bool(own_page.title()) and len(saved) == 5)
    # One is started once more, and never finished; another one is removed.
    own_page.route("**/v1/jobs", lambda route: None)
    own_page.locator(".item-open", has_text="p5.png").click()
    own_page.get_by_role("button", name="Restore again with these options").click()
    own_page.get_by_role("button", name="Remove p6.png").click()
    own_page.clock.run_for(2_000)
    wait_until(lambda: bool(own_page.title()) and len(saved) == len(names))
    assert sorted(saved) == [name.replace(".", "@2x.") for name in names]


def test_a_folder_is_not_decoded_all_at_once(own_page: Any, photo: Photo) -> None:
    own_page.add_init_script(
        """let now = 0;
        window.most = 0;
        const decode = HTMLImageElement.prototype.decode;
        HTMLImageElement.prototype.decode = function () {
          most = Math.max(most, ++now);
          return decode.call(this).finally(() => { now -= 1; });
        };"""
    )
    own_page.reload()
    names = [f"p{at:02}.png" for at in range(12)]
    choose(own_page, *(photo(name, 40, 40, at) for at, name in enumerate(names)))
    # Every one has its turn.
    wait_until(lambda: own_page.locator(".item-state", has_text="40 × 40").count() == 12)  # noqa: RUF001
    # Two for the list, and what was or is looked at.
    assert own_page.evaluate("most") <= 4


def test_the_quality_is_the_services_own_until_one_is_chosen(page: Any, photo: Photo) -> None:
    # What is in a form with a file cannot be seen from outside.
    page.evaluate(
        """() => {
          window.fields = [];
          const append = FormData.prototype.append;
          FormData.prototype.append = function (...given) {
            fields.push(given[0]);
            return append.apply(this, given);
          };
        }"""
    )
    restore(page, photo())
    finish(page)
    assert page.evaluate("fields") == ["scale", "image"]
    page.get_by_text("More options").click()
    page.get_by_label("Quality").fill("80")
    page.get_by_role("button", name="Restore again with these options").click()
    wait_until(lambda: page.evaluate("fields.length") == 5)
    finish(page)
    assert page.evaluate("fields.slice(2)") == ["scale", "quality", "image"]


def test_a_pasted_photograph(page: Any, photo: Photo) -> None:
    data = base64.b64encode(photo().read_bytes()).decode()
    page.evaluate(
        """async (data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }""",
        data,
    )
    page.get_by_role("button", name="Restore 1 photograph").click()
    finish(page)
    assert download(page)[0] == "pasted-1@2x.png"


def test_a_dropped_photograph(own_page: Any, photo: Photo) -> None:
    data = base64.b64encode(photo().read_bytes()).decode()
    own_page.evaluate(
        """async (data) => {
          const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          const options = { dataTransfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("dragenter", options));
          if (!document.body.classList.contains("dragging")) throw new Error("not marked");
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        data,
    )
    own_page.get_by_role("button", name="Restore 1 photograph").wait_for()
    assert own_page.get_by_role("heading", name="dropped.png").is_visible()


def test_a_format_that_the_browser_cannot_show(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo("scan.tif", 90, 60))
    own_page.get_by_text("the service may restore it all the same").wait_for()
    own_page.get_by_role("button", name="Restore 1 photograph").click()
    finish(own_page)
    own_page.get_by_text("made by the service to be looked at").wait_for()
    boxes(own_page)
    name, result = download(own_page)
    assert (name, result.format, result.size) == ("scan@2x.tif", "TIFF", (180, 120))


def test_what_is_no_picture_is_left_out(own_page: Any, photo: Photo, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("notes.txt", "list.odt", "strange.xyz", ".lake.png")]
    for path in paths:
        path.write_text("words")
    said = own_page.get_by_role("status").filter(has_text="left out")
    choose(own_page, paths[0])
    said.get_by_text("1 file was left out: no photograph in a format that can be read.").wait_for()
    assert own_page.locator(".item").count() == 0
    # What might be one is for the service to tell.
    (tmp_path / "unnamed").write_text("words")
    choose(own_page, *paths, photo("LAKE.png"), tmp_path / "unnamed")
    said.get_by_text("4 files were left out").wait_for()
    assert own_page.locator(".item-name").all_inner_texts() == ["LAKE.png", "unnamed"]
    choose(own_page, photo("two.png"))
    own_page.get_by_role("heading", name="two.png").wait_for()
    assert not said.is_visible()
    for way in ("paste", "drop"):
        own_page.evaluate(
            """(way) => {
              const data = new DataTransfer();
              data.items.add(new File(["words"], "notes.txt", { type: "text/plain" }));
              data.items.add(new File(["words"], `${way}.png`, { type: "image/png" }));
              const options = { bubbles: true, cancelable: true };
              document.body.dispatchEvent(
                way === "paste"
                  ? new ClipboardEvent("paste", { clipboardData: data, ...options })
                  : new DragEvent("drop", { dataTransfer: data, ...options }),
              );
            }""",
            way,
        )
        own_page.get_by_role("heading", name=f"{way}.png").wait_for()
        said.get_by_text("1 file was left out").wait_for()
    assert own_page.locator(".item").count() == 5


def test_what_is_removed_is_not_made_for_looking_at(own_page: Any, photo: Photo) -> None:
    own_page.route("**/v1/upscale", lambda route: None)
    restore(own_page, photo("scan.tif", 90, 60))
    finish(own_page)
    own_page.get_by_text("The service is making a picture").wait_for()
    with own_page.expect_event("requestfailed", lambda one: one.url.endswith("/v1/upscale")):
        own_page.get_by_role("button", name="Remove scan.tif").click()
    own_page.get_by_role("heading", name="Restore photographs").wait_for()


def test_cancelling_stops_the_job_at_the_service(page: Any, photo: Photo, service: str) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/v1/jobs")) as made:
        restore(page, photo("large.jpg", 4000, 3000))
    job = made.value.json()["id"]
    # By then the page knows of the job, too.
    page.locator(
        "#panel-state", has_text=re.compile("Waiting for the service|Restoring")
    ).wait_for()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("heading", name="Stopped").wait_for()
    assert httpx.get(f"{service}/v1/jobs/{job}", timeout=60).json()["status"] == "cancelled"
    page.get_by_role("button", name="Start again").wait_for()
    # The service is free for the next one at once.
    restore(page, photo("small.png"))
    finish(page)


def test_progress_comes_from_the_service(own_page: Any, photo: Photo) -> None:
    states = note_states(own_page)
    restore(own_page, photo("large.jpg", 2400, 1800))
    finish(own_page)
    assert len({state for state in states() if state.startswith("Restoring")}) > 2


def test_a_verdict_without_and_with_the_photograph(page: Any, photo: Photo) -> None:
    sent: list[Any] = []
    page.on("request", lambda request: request.url.endswith("/feedback") and sent.append(request))
    restore(page, photo())
    finish(page)
    page.get_by_role("button", name="Not good").click()
    page.get_by_label("Still blurry").check()
    page.get_by_label("Comment").fill("a little soft")
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you.").wait_for()
    answer = sent[0].post_data_json
    assert answer["verdict"] == "down"
    assert answer["reasons"] == ["blurry"]
    assert answer["keep_picture"] is False
    assert sent[0].response().status == 201
    # What was said stays to be seen, and cannot be said twice.
    for name, pressed in (("Good", "false"), ("Not good", "true")):
        thumb = page.get_by_role("button", name=name, exact=True)
        assert (thumb.get_attribute("aria-pressed"), thumb.is_disabled()) == (pressed, True)

    page.get_by_role("button", name="Restore again with these options").click()
    # What was said, and consented to, was about another result.
    page.locator("#feedback-said", has_text=re.compile("^$")).wait_for(state="attached")
    page.get_by_role("button", name="Not good").click()
    assert not page.get_by_label("Still blurry").is_checked()
    assert page.get_by_label("Comment").input_value() == ""
    for reason in ("Still blurry", "Noise"):
        page.get_by_label(reason).check()
    page.get_by_label("Keep my photograph").check()
    page.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you.").wait_for()
    assert sent[1].header_value("content-type").startswith("multipart/form-data")
    assert sent[1].response().status == 201


def test_the_theme_is_the_systems_until_one_is_chosen(
    open_page: Callable[..., Any], address: str
) -> None:
    page = open_page(address, color_scheme="dark")
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(colour)
    button = page.get_by_role("button", name="Dark theme")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    light = page.evaluate(colour)
    assert light != dark
    page.reload()
    assert page.evaluate(colour) == light
    assert button.get_attribute("aria-pressed") == "false"


def test_a_phone(open_page: Callable[..., Any], address: str, photo: Photo) -> None:
    size = {"width": 360, "height": 740}
    page = open_page(address, viewport=size, has_touch=True, is_mobile=True)
    wide = "document.documentElement.scrollWidth"
    assert page.evaluate(wide) == 360
    restore(page, photo("a-rather-long-name-for-a-photograph-of-a-lake.png"))
    finish(page)
    boxes(page)
    assert page.evaluate(wide) == 360
    # The result is brought into view.
    assert page.locator("#panel-title").bounding_box()["y"] < 740
    page.get_by_role("button", name="Not good").tap()
    page.get_by_text("More options").tap()
    assert page.evaluate(wide) == 360


def test_everything_by_keyboard(own_page: Any, photo: Photo) -> None:
    choose(own_page, photo())
    assert own_page.evaluate("document.activeElement.id") == "start"
    own_page.keyboard.press("Enter")
    finish(own_page)
    boxes(own_page)
    assert own_page.evaluate("document.activeElement.id") == "panel-title"
    reached = set()
    for _ in range(12):
        own_page.keyboard.press("Tab")
        reached.add(
            own_page.evaluate("(e => e.id || e.ariaLabel || e.innerText)(document.activeElement)")
        )
    assert {"divider", "Zoom in", "download", "redo"} <= reached
    assert "Good" in reached


def test_nothing_without_a_name(own_page: Any, photo: Photo) -> None:
    restore(own_page, photo())
    finish(own_page)
    boxes(own_page)
    # Out of sight by then, but still what the page is called.
    assert own_page.get_by_role("heading", level=1).all_inner_texts() == ["Restore photographs"]
    own_page.get_by_role("button", name="Not good").click()
    own_page.get_by_text("More options").click()
    for role in ("button", "link", "slider", "textbox", "checkbox", "radio", "combobox", "img"):
        for found in own_page.get_by_role(role).all():
            snapshot = found.aria_snapshot().split("\n")[0]
            assert re.search(r'"[^"]+"|: ?\S', snapshot), (role, snapshot)


def test_without_scripts_the_page_says_so(open_page: Callable[..., Any], service: str) -> None:
    page = open_page(service, java_script_enabled=False)
    # Not by its text: that search leaves <noscript> out.
    said = page.locator(".noscript")
    assert said.is_visible()
    assert "This page needs JavaScript" in said.inner_text()
    assert not page.locator("#drop").is_visible()


def words(page: Any, expression: str, argument: Any = None) -> Any:
    """Of the module of that name, as the page has it."""
    return page.evaluate(
        """async ([expression, argument]) => {
          const words = await import(new URL("static/words.js", location.href));
          const { name, result, width, height } = argument;
          return expression === "name"
            ? words.resultName(name, result, {})
            : words.megapixels(width, height);
        }""",
        [expression, argument],
    )


def test_only_the_extension_of_a_picture_is_taken_off_its_name(own_page: Any) -> None:
    result = {"scale": 2, "format": "jpeg"}
    suffixes = [suffix for form in FORMATS.values() for suffix in form.suffixes]
    names = {f"lake{suffix}": "lake@2x.jpg" for suffix in suffixes} | {
        "Mr. Lee": "Mr. Lee@2x.jpg",
        "Mr. Lee.JPG": "Mr. Lee@2x.jpg",
        "v1.2": "v1.2@2x.jpg",
        ".png": "photograph@2x.jpg",
    }
    for name, saved in names.items():
        assert words(own_page, "name", {"name": name, "result": result}) == saved


def test_megapixels_of_small_pictures_are_left_out(own_page: Any, photo: Photo) -> None:
    for width, height, said in ((120, 80, ""), (400, 250, "0.1 megapixels"), (4000, 3000, "12 ")):
        told = words(own_page, "megapixels", {"width": width, "height": height})
        assert told.startswith(said)
        assert bool(told) == bool(said)
    restore(own_page, photo("lake.png", 120, 80))
    finish(own_page)
    facts = own_page.locator("#facts").inner_text()
    assert "megapixels" not in facts
    assert "\n2× as wide" in facts  # noqa: RUF001


def test_a_very_long_name(open_page: Callable[..., Any], service: str, photo: Photo) -> None:
    page = open_page(service, viewport={"width": 360, "height": 740})
    name = "a-name-" * 34 + "ab.png"
    choose(page, photo(name))
    title = page.locator("#panel-title")
    title.wait_for()
    assert title.bounding_box()["height"] < 100
    assert title.get_attribute("title") == title.text_content() == name
    assert page.evaluate("document.documentElement.scrollWidth") == 360
