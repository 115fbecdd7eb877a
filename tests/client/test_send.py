from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from faking import BROKEN_OFF, Custom, Fake, events, job, made, picture, problem, silent_port, whole
from sending_folders import PNG, Call, results, twice
from starlette.responses import HTMLResponse, JSONResponse

from hyperfocal.cli import ledger
from hyperfocal.settings import Settings
from told import told_to_stop

VERSION = JSONResponse({"version": "1.2"})


def sent(fake: Fake) -> list[bytes]:
    names = sorted(seen.body[len(PNG) :] for seen in fake.seen if seen.path == "/v1/upscale")
    fake.seen.clear()
    return names


def test_a_folder_with_its_tree(send: Call, fake: Fake, folder: Path) -> None:
    answer = send("-s", "2", "--strip-metadata")
    assert answer.exit_code == 0, answer.stderr
    assert results(folder) == {
        "a.png": twice(b"a.png"),
        "b.jpg": twice(b"b.jpg", "jpeg"),
        "sub/c.png": twice(b"sub/c.png"),
    }
    by_name = {seen.body[len(PNG) :]: seen.query for seen in fake.seen}
    assert by_name[b"b.jpg"] == {"scale": "2.0", "strip_metadata": "true", "format": "jpeg"}
    assert "3 done, 1 other file ignored" in answer.stderr
    assert "in/a.png -> out/a.png  32x24, photo-fast-x2, fidelity 41.2 dB" in answer.stderr
    assert answer.stdout == ""


def test_what_is_done_is_not_sent_again(send: Call, fake: Fake, folder: Path) -> None:
    send()
    assert len(sent(fake)) == 3
    answer = send()
    assert answer.exit_code == 0
    assert sent(fake) == []
    assert "3 skipped" in answer.stderr


def test_results_beside_the_inputs_are_not_sent(send: Call, fake: Fake, folder: Path) -> None:
    """Of an earlier call of this, under any name, and of ``upscale``."""
    (folder / "b@2x.jpg").write_bytes(PNG + b"of upscale")
    for options in (["--suffix", "-big"], ["-f", "webp"]):
        assert send("-o", "in", *options).exit_code == 0
        assert sent(fake) == [b"a.png", b"b.jpg", b"sub/c.png"]
    answer = send("-o", "in", "--suffix", "-large")
    assert sent(fake) == [b"a.png", b"b.jpg", b"sub/c.png"]
    assert "note: passed over in/a-big.png and 6 more, results" in answer.stderr
    assert "a file that is named itself is sent" in answer.stderr
    assert "note" not in send("-o", "in", "--suffix", "-large", "--quiet").stderr


def test_damaged_lines_of_the_ledger_are_passed_over(send: Call, fake: Fake, folder: Path) -> None:
    send()
    sent(fake)
    path = folder.parent / "out" / ledger.NAME
    one = json.loads(path.read_bytes().splitlines()[-1])
    strange = [{**one, "output": 5}, {**one, "digest": []}, {**one, "options": "none"}, [], 5]
    lines = "".join(f"{json.dumps(line)}\n" for line in strange)
    path.write_bytes(path.read_bytes() + lines.encode() + b"[" * 100_000 + b"\n")
    assert send().exit_code == 0
    assert sent(fake) == []


def test_a_result_whose_input_is_gone_is_a_picture(send: Call, fake: Fake, folder: Path) -> None:
    send("-o", "in", "-f", "webp")
    sent(fake)
    (folder / "a.png").unlink()
    assert send("-o", "in", "--suffix", "-big").exit_code == 0
    assert twice(b"a.png", "webp") in [seen.body for seen in fake.seen]


def test_a_changed_picture_is_sent_again(send: Call, fake: Fake, folder: Path) -> None:
    send()
    sent(fake)
    (folder / "b.jpg").write_bytes(PNG + b"B.jpg")
    shutil.copystat(folder / "a.png", folder / "b.jpg")
    send()
    assert sent(fake) == [b"B.jpg"]
    assert results(folder)["b.jpg"] == twice(b"B.jpg", "jpeg")


def test_other_options_send_everything_again(send: Call, fake: Fake, folder: Path) -> None:
    send("-s", "2")
    sent(fake)
    send("-s", "3")
    assert len(sent(fake)) == 3
    send("-s", "3", "--jobs", "1", "--timeout", "5")
    assert sent(fake) == []


def test_a_lost_result_is_made_again(send: Call, fake: Fake, folder: Path) -> None:
    send()
    sent(fake)
    (folder.parent / "out/a.png").unlink()
    send()
    assert sent(fake) == [b"a.png"]


def test_what_others_put_there_is_left_alone(send: Call, fake: Fake, folder: Path) -> None:
    theirs = folder.parent / "out/a.png"
    theirs.parent.mkdir()
    theirs.write_bytes(b"theirs")
    answer = send()
    assert answer.exit_code == 1
    assert "is no result of this; use --overwrite" in answer.stderr
    assert theirs.read_bytes() == b"theirs"
    assert send("--overwrite").exit_code == 0
    assert theirs.read_bytes() != b"theirs"


def test_what_others_put_there_after_a_failure_is_left_alone(
    send: Call, fake: Fake, folder: Path
) -> None:
    fake.answers = [problem(413, "too-large")]
    assert send("-j", "1").exit_code == 1
    theirs = folder.parent / "out/a.png"
    assert not theirs.exists()
    theirs.write_bytes(b"theirs")
    answer = send()
    assert answer.exit_code == 1
    assert "is no result of this; use --overwrite" in answer.stderr
    assert theirs.read_bytes() == b"theirs"
    # Nor is it anybody's own after a failure to replace it.
    fake.answers = [problem(413, "too-large")]
    assert send("--overwrite", "-j", "1").exit_code == 1
    assert send().exit_code == 1
    assert theirs.read_bytes() == b"theirs"


def test_what_is_no_result_since_a_failure_is_a_picture(
    send: Call, fake: Fake, folder: Path
) -> None:
    fake.answers = [problem(413, "too-large")]
    assert send("-f", "webp", "-o", "in", "-j", "1").exit_code == 1
    (folder / "a.webp").write_bytes(b"RIFF1234WEBP a.webp")
    sent(fake)
    assert send("--suffix=2", "-o", "in").exit_code == 0
    assert b"a.webp" in [name[-6:] for name in sent(fake)]


def test_a_result_whose_last_line_was_lost_is_ones_own(
    send: Call, fake: Fake, folder: Path
) -> None:
    send()
    sent(fake)
    path = folder.parent / "out" / ledger.NAME
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"a.png"' not in line or b'"begun"' in line]
    # A line cut off in the middle, as a killed program leaves it.
    path.write_bytes(b"".join(kept) + b'{"input":"a.png","dig')
    assert send().exit_code == 0
    assert sent(fake) == [b"a.png"]
    assert send().exit_code == 0
    assert sent(fake) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_a_name_that_is_no_text(send: Call, fake: Fake, folder: Path) -> None:
    name = os.fsdecode(b"f\xfcnf.png")
    (folder / "a.png").rename(folder / name)
    done = send("--json", "--report", "report.json")
    assert done.exit_code == 0
    report = json.loads((folder.parent / "report.json").read_bytes())
    for document in (json.loads(done.stdout), report):
        assert f"in/{name}" in [file["input"] for file in document["files"]]
    assert name in results(folder)
    # And it is known again.
    fake.seen.clear()
    assert send().exit_code == 0
    assert fake.seen == []


def test_one_bad_picture_does_not_stop_the_rest(send: Call, fake: Fake, folder: Path) -> None:
    def answer(seen: Any) -> Any:
        if seen.body.endswith(b"b.jpg"):
            return problem(422, "broken-picture", "truncated or corrupt JPEG")
        return picture()

    fake.otherwise = answer
    done = send("--report", "report.json")
    assert done.exit_code == 1
    assert "2 done, 1 failed" in done.stderr
    assert "failed: in/b.jpg: truncated or corrupt JPEG" in done.stderr.splitlines()[-1]
    report = json.loads((folder.parent / "report.json").read_text())
    assert (report["done"], report["failed"], report["url"]) == (2, 1, fake.url)
    by_name = {file["input"]: file for file in report["files"]}
    assert by_name["in/b.jpg"]["error"]["code"] == "broken-picture"
    assert by_name["in/b.jpg"]["request_id"] == "request-9"
    assert by_name["in/a.png"]["request_id"] == "request-1"
    assert by_name["in/a.png"]["version"] == "0123abcd"
    assert by_name["in/a.png"]["choice"]["kind"] == "photo"
    assert sorted(results(folder)) == ["a.png", "sub/c.png"]
    # Only what failed is tried again.
    fake.otherwise = picture()
    fake.seen.clear()
    assert send().exit_code == 0
    assert sent(fake) == [b"b.jpg"]


def maps_for(folder: Path, *names: str) -> Path:
    """A folder of depth maps inside the folder that is sent."""
    for name in names:
        path = folder / "maps" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG + b"map of " + name.encode())
    return folder / "maps"


def test_each_picture_with_its_depth_map(send: Call, fake: Fake, folder: Path) -> None:
    maps_for(folder, "a.png", "b.tif", "sub/c.png")
    done = send("--depth", "in/maps")
    assert done.exit_code == 0, done.stderr
    maps = {seen.fields["image"][0]: seen.fields["depth"] for seen in fake.seen}
    assert maps == {
        PNG + b"a.png": [PNG + b"map of a.png"],
        PNG + b"b.jpg": [PNG + b"map of b.tif"],
        PNG + b"sub/c.png": [PNG + b"map of sub/c.png"],
    }
    # And the maps themselves are no pictures.
    assert sorted(results(folder)) == ["a.png", "b.jpg", "sub/c.png"]


def test_another_depth_map_makes_another_result(send: Call, fake: Fake, folder: Path) -> None:
    maps = maps_for(folder, "a.png", "b.tif", "sub/c.png")
    assert send("--depth", "in/maps").exit_code == 0
    fake.seen.clear()
    assert send("--depth", "in/maps").exit_code == 0
    assert fake.seen == []
    (maps / "b.tif").write_bytes(PNG + b"another")
    assert send("--depth", "in/maps").exit_code == 0
    assert [seen.fields["depth"] for seen in fake.seen] == [[PNG + b"another"]]
    fake.seen.clear()
    shutil.rmtree(maps)
    assert send("--no-depth").exit_code == 0
    assert [seen.query["use_depth"] for seen in fake.seen] == ["false"] * 3
    fake.seen.clear()
    assert send().exit_code == 0
    assert len(fake.seen) == 3


def test_a_picture_without_its_depth_map_fails_alone(send: Call, fake: Fake, folder: Path) -> None:
    maps_for(folder, "a.png", "sub/c.png")
    done = send("--depth", "in/maps")
    assert done.exit_code == 1
    assert "no depth map called b in in/maps" in done.stderr
    assert sorted(results(folder)) == ["a.png", "sub/c.png"]


def test_depth_maps_that_cannot_be_meant(send: Call, fake: Fake, folder: Path) -> None:
    (folder.parent / "map.png").write_bytes(PNG)
    for options, says in (
        (["--depth", "map.png"], "may be several pictures"),
        (["--depth", "gone"], "no such file or folder"),
        (["--depth", "map.png", "--no-depth"], "exclude each other"),
    ):
        done = send(*options)
        assert done.exit_code in (2, 3)
        assert says in done.stderr
    assert fake.seen == []


def test_what_a_depth_map_was_good_for(send: Call, fake: Fake, folder: Path) -> None:
    told = {"source": "embedded", "used": True, "share": 0.25, "blur": 1.5, "given_back": 1.2}
    fake.otherwise = picture(Hyperfocal_Depth=quote(json.dumps(told)))
    done = send("-v", "--json")
    assert [file["depth"] for file in json.loads(done.stdout)["files"]] == [told] * 3
    assert "25% of the picture is out of focus by the depth map in the file" in done.stderr


def test_a_report_that_cannot_be_written_costs_no_word_about_the_pictures(
    send: Call, fake: Fake, folder: Path
) -> None:
    place = folder.parent / "reports"
    place.mkdir()

    def answer(seen: Any) -> Any:
        shutil.rmtree(place, ignore_errors=True)
        return picture()

    fake.otherwise = answer
    done = send("--json", "--report", "reports/a.json")
    assert done.exit_code == 1
    assert "the folder does not exist" in done.stderr
    assert "3 done" in done.stderr
    told = json.loads(done.stdout)
    assert (told["done"], len(told["files"])) == (3, 3)
    assert told["stopped"]["code"] == "output-refused"


def test_what_takes_too_long_for_a_request_becomes_a_job(
    send: Call, fake: Fake, folder: Path
) -> None:
    def answer(seen: Any) -> Any:
        if seen.path == "/v1/upscale" and seen.body.endswith(b"b.jpg"):
            return problem(504, "deadline", "it took more than 60 s")
        if seen.path == "/v1/jobs":
            return JSONResponse(job(), 202)
        if seen.path.endswith("/events"):
            return events(job("running", 0.5), job("succeeded", 1.0, result=made()))
        if seen.path.endswith("/result"):
            return picture(b"made by a job", "image/jpeg")
        return picture(b"2x" + seen.body)

    fake.otherwise = answer
    answered = send("-s", "2")
    assert answered.exit_code == 0, answered.stderr
    assert results(folder)["b.jpg"] == whole(b"made by a job", "jpeg")
    (asked,) = [seen for seen in fake.seen if seen.path == "/v1/jobs"]
    assert asked.body == PNG + b"b.jpg"
    assert asked.query == {"scale": "2.0", "format": "jpeg"}
    assert fake.paths().count("/v1/jobs/job-1/result") == 1


def test_stopping_cancels_the_job_that_is_waited_for(send: Call, fake: Fake, folder: Path) -> None:
    def answer(seen: Any) -> Any:
        if seen.path == "/v1/upscale":
            return problem(504, "deadline")
        if seen.path == "/v1/jobs":
            return JSONResponse(job(), 202)
        if seen.method == "DELETE":
            return JSONResponse(job("cancelled"))
        # As `kill` does; what is waited for then never comes.
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)
        return Custom(until_gone)

    async def until_gone(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    fake.otherwise = answer
    answered = send("--jobs", "1")
    assert answered.exit_code == 130
    assert ("DELETE", "/v1/jobs/job-1") in [(seen.method, seen.path) for seen in fake.seen]
    assert results(folder) == {}


@pytest.mark.parametrize("alone", [False, True])
def test_a_job_that_somebody_else_cancelled_is_one_failed_picture(
    send: Call, fake: Fake, folder: Path, alone: bool
) -> None:
    def answer(seen: Any) -> Any:
        if seen.path == "/v1/upscale":
            late = seen.body.endswith(b"a.png")
            return problem(504, "deadline") if late else picture(b"2x" + seen.body)
        return JSONResponse(job(), 202) if seen.method == "POST" else events(job("cancelled"))

    fake.otherwise = answer
    if alone:
        (folder / "b.jpg").unlink()
        (folder / "sub/c.png").unlink()
    answered = send("--jobs", "1", "--json")
    assert answered.exit_code == 1
    told = json.loads(answered.stdout)
    assert (told["stopped"], told["failed"], told["done"]) == (None, 1, 0 if alone else 2)
    assert told["files"][0]["error"] == {"code": "cancelled", "message": "job job-1 was cancelled"}
    assert "DELETE" not in [seen.method for seen in fake.seen]


@pytest.fixture
def other_day(folder: Path) -> Path:
    """Another folder with a picture of the same name, and one of its own."""
    other = folder.parent / "other"
    other.mkdir()
    (other / "a.png").write_bytes(PNG + b"another a.png")
    (other / "d.png").write_bytes(PNG + b"d.png")
    return other


@pytest.mark.parametrize("one", [False, True], ids=["folders", "single files"])
def test_the_result_of_another_folder_is_not_replaced(
    send: Call, fake: Fake, folder: Path, other_day: Path, one: bool
) -> None:
    name = "/a.png" if one else ""
    assert send(source=f"in{name}").exit_code == 0
    before = results(folder)
    sent(fake)
    for _ in range(2):
        answer = send("--json", source=f"other{name}")
        assert answer.exit_code == 1
        assert f"out/a.png exists and is the result of {folder}/a.png" in answer.stderr
        (failed,) = [one for one in json.loads(answer.stdout)["files"] if one["error"]]
        assert (failed["input"], failed["error"]["code"]) == ("other/a.png", "output-exists")
        assert results(folder) == before | ({} if one else {"d.png": twice(b"d.png")})
    assert sent(fake) == ([] if one else [b"d.png"])
    # The first is known for what it is, from wherever it is named.
    os.chdir(folder)
    assert send("-o", "../out", source=f"../in{name}").exit_code == 0
    assert sent(fake) == []
    os.chdir(folder.parent)
    assert send("--overwrite", source=f"other{name}").exit_code == 0
    assert results(folder)["a.png"] == twice(b"another a.png")
    assert send(source=f"in{name}").exit_code == 1


def test_the_same_pictures_in_another_folder_are_done(send: Call, fake: Fake, folder: Path) -> None:
    """As where it was renamed."""
    send("-s", "2")
    sent(fake)
    folder.rename(folder.parent / "moved")
    assert send("-s", "2", source="moved").exit_code == 0
    assert sent(fake) == []
    # From then on they are known from there.
    (folder.parent / "moved" / "b.jpg").write_bytes(PNG + b"B.jpg")
    assert send("-s", "2", source="moved").exit_code == 0
    assert sent(fake) == [b"B.jpg"]


def test_lines_that_name_no_folder_are_about_the_same_bytes_only(
    send: Call, fake: Fake, folder: Path
) -> None:
    """Those of earlier versions."""
    send("-s", "2")
    path = folder.parent / "out" / ledger.NAME
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        assert Path(line.pop("source")) == folder
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    sent(fake)
    (folder / "b.jpg").write_bytes(PNG + b"B.jpg")
    answer = send("-s", "3")
    assert answer.exit_code == 1
    assert sent(fake) == [b"a.png", b"sub/c.png"]
    assert "out/b.jpg exists and is the result of another b.jpg" in answer.stderr
    assert results(folder)["b.jpg"] == twice(b"b.jpg", "jpeg")


def test_a_result_stays_known_when_its_input_got_another(
    send: Call, fake: Fake, folder: Path
) -> None:
    for options in ([], ["-f", "webp"], []):
        assert send(*options).exit_code == 0
    assert len(sent(fake)) == 6


def test_what_appears_while_the_picture_is_away_is_not_replaced(
    send: Call, fake: Fake, folder: Path
) -> None:
    def answer(seen: Any) -> Any:
        theirs = folder.parent / "out/a.png"
        if seen.body.endswith(b"a.png"):
            theirs.write_bytes(b"theirs")
        return picture(b"2x" + seen.body)

    fake.otherwise = answer
    assert send("-j", "1").exit_code == 1
    assert results(folder)["a.png"] == b"theirs"


def test_what_another_program_sent_meanwhile_is_done(send: Call, fake: Fake, folder: Path) -> None:
    def answer(seen: Any) -> Any:
        if seen.body.endswith(b"a.png"):
            (folder.parent / "out/a.png").write_bytes(b"the very same")
            path = folder.parent / "out" / ledger.NAME
            begun = json.loads(path.read_bytes().splitlines()[0])
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({**begun, "state": "done"}) + "\n")
        return picture(b"2x" + seen.body)

    fake.otherwise = answer
    result = send("-j", "1", "--json")
    assert result.exit_code == 0
    status = {one["input"]: one["status"] for one in json.loads(result.stdout)["files"]}
    assert status == {"in/a.png": "skipped", "in/b.jpg": "done", "in/sub/c.png": "done"}
    assert results(folder)["a.png"] == b"the very same"


def test_what_another_program_sent_otherwise_meanwhile_stays_its_result(
    send: Call, fake: Fake, folder: Path
) -> None:
    def answer(seen: Any) -> Any:
        if seen.body.endswith(b"a.png"):
            path = folder.parent / "out" / ledger.NAME
            begun = json.loads(path.read_bytes().splitlines()[0])
            other = {**begun, "options": {**begun["options"], "scale": "2.0"}}
            with path.open("a", encoding="utf-8") as file:
                for state in ("begun", "done"):
                    file.write(json.dumps({**other, "state": state}) + "\n")
            (folder.parent / "out/a.png").write_bytes(b"twice")
        return picture(b"four times")

    fake.otherwise = answer
    assert send("-s", "4", "-j", "1").exit_code == 1
    assert results(folder)["a.png"] == b"twice"
    fake.otherwise = picture(b"twice")
    fake.seen.clear()
    assert send("-s", "2").exit_code == 0
    assert b"a.png" not in sent(fake)


def test_one_that_fails_leaves_the_result_to_whom_it_is_of(
    send: Call, fake: Fake, folder: Path, other_day: Path
) -> None:
    send()
    before = results(folder)
    fake.otherwise = problem(422, "broken-picture")
    assert send("--overwrite", source="other/a.png").exit_code == 3
    assert results(folder) == before
    sent(fake)
    assert send().exit_code == 0
    assert send(source="other/a.png").exit_code == 1
    assert sent(fake) == []
    assert results(folder) == before


def test_all_bad_for_one_reason_is_that_reasons_code(send: Call, fake: Fake) -> None:
    fake.otherwise = problem(422, "broken-picture")
    assert send().exit_code == 3


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_two_inputs_whose_results_would_have_one_name(
    send: Call, fake: Fake, folder: Path, options: list[str]
) -> None:
    (folder / "a.jpg").write_bytes(PNG + b"a.jpg")
    answer = send("-f", "webp", "-j", "8", *options)
    assert answer.exit_code == 1
    assert "failed: in/a.png: out/a.webp is already the result of in/a.jpg" in answer.stderr
    assert results(folder)["a.webp"] == twice(b"a.jpg", "webp")
    assert sent(fake) == [b"a.jpg", b"b.jpg", b"sub/c.png"]


def test_one_that_failed_leaves_the_name_to_the_next(send: Call, fake: Fake, folder: Path) -> None:
    (folder / "a.jpg").write_bytes(PNG + b"a.jpg")
    fake.otherwise = lambda seen: (
        problem(422, "broken-picture") if seen.body.endswith(b"a.jpg") else picture(seen.body)
    )
    assert send("-f", "webp", "-j", "8").exit_code == 1
    assert results(folder)["a.webp"] == whole(PNG + b"a.png", "webp")


def test_a_busy_service_is_waited_for(send: Call, fake: Fake, folder: Path) -> None:
    fake.answers = [problem(503, "queue-full", retry_after="0") for _ in range(2)]
    assert send("-j", "1").exit_code == 0
    assert len(fake.seen) == 5


def test_and_given_up_after_so_many_tries(send: Call, fake: Fake) -> None:
    busy = problem(503, "queue-full", "16 pictures wait", retry_after="0")
    fake.otherwise = lambda seen: busy if seen.path == "/v1/upscale" else VERSION
    answer = send("--retries", "0")
    assert answer.exit_code == 1
    assert len(sent(fake)) == 3
    assert "16 pictures wait" in answer.stderr


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(401, "unauthorized", 2), (403, "forbidden", 2), (404, "model-missing", 4)],
)
def test_what_every_picture_would_fail_of_ends_it(
    send: Call, fake: Fake, folder: Path, status: int, code: str, exit_code: int
) -> None:
    fake.otherwise = problem(status, code, "not so")
    answer = send("-j", "1")
    assert answer.exit_code == exit_code
    assert len(fake.seen) == 1
    assert "hyperfocal: not so" in answer.stderr
    assert results(folder) == {}


@pytest.mark.parametrize("status", [401, 403])
def test_a_proxy_that_lets_nobody_through_ends_it(send: Call, fake: Fake, status: int) -> None:
    fake.otherwise = HTMLResponse("<h1>no</h1>", status)
    answer = send("-j", "1")
    assert answer.exit_code == 2
    # The second time to see whether it was about that picture.
    assert fake.paths() == ["/v1/upscale", "/version"]
    assert f"HTTP status {status}" in answer.stderr


def test_a_picture_that_is_too_large_for_a_proxy_is_bad_input(send: Call, fake: Fake) -> None:
    fake.otherwise = HTMLResponse("too large", 413)
    answer = send()
    assert answer.exit_code == 3
    assert len(fake.seen) == 3
    assert "more bytes than the service, or a proxy before it, takes" in answer.stderr


def test_it_is_told_once_why_the_service_is_waited_for(send: Call, fake: Fake) -> None:
    busy = problem(503, "queue-full", "16 pictures wait", retry_after="0")
    fake.answers = [busy, busy, HTMLResponse("bad gateway", 502), busy]
    answer = send("-j", "1")
    assert answer.exit_code == 0
    first, second = (line for line in answer.stderr.splitlines() if "trying again" in line)
    assert first == "16 pictures wait; trying again"
    assert second.endswith(" is busy or away (HTTP status 502 Bad Gateway); trying again")
    fake.answers = [busy]
    assert "trying again" not in send("--overwrite", "--quiet").stderr


def test_a_service_that_is_gone_ends_it(send: Call, folder: Path) -> None:
    answer = send("--retries", "0", "-j", "1", url=f"http://127.0.0.1:{silent_port()}")
    assert answer.exit_code == 1
    assert answer.stderr.count("cannot be reached") == 1
    assert results(folder) == {}


def test_a_picture_that_breaks_the_connection_does_not_end_it(
    send: Call, fake: Fake, folder: Path
) -> None:
    def answer(seen: Any) -> Any:
        if seen.path in ("/version", "/readyz"):
            return VERSION
        if seen.body.endswith(b"a.png"):
            return BROKEN_OFF
        return HTMLResponse("too large for a proxy", 413) if b"b.jpg" in seen.body else picture()

    fake.otherwise = answer
    done = send("--retries", "0")
    assert done.exit_code == 1
    assert list(results(folder)) == ["sub/c.png"]


def test_the_key_comes_from_a_file_or_the_environment(
    send: Call, fake: Fake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder.parent / "key").write_text("from-file\n")
    send("--key-file", "key")
    assert fake.seen[-1].headers["authorization"] == "Bearer from-file"
    monkeypatch.setenv("HYPERFOCAL_CLIENT_KEY", "from-environment")
    send("--overwrite")
    assert fake.seen[-1].headers["authorization"] == "Bearer from-environment"
    # It is none of the engine's settings.
    Settings.read()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-s", "2", "--long-edge", "9"], "exclude each other"),
        (["--suffix", "a/b"], "part of a name"),
        (["--key-file", "nowhere"], "the API key cannot be read"),
        (["--url", "nonsense"], "no address"),
        (["--size", "big"], "is not a size"),
        (["-o", "in/a.png"], "must name a folder"),
        (["-o", ""], "-o names nothing"),
        (["--no-recursive", "-f", "tga"], "tga"),
        (["--report", "no/where.json"], "does not exist"),
        (["--timeout", "0"], "timeout"),
        (["--bit-depth", "7"], "--bit-depth is 8"),
        (["-f", "jpg", "--bit-depth", "16"], "8 bits, not 16"),
        (["--min-fidelity", "nan"], "number of dB"),
        (["--scale", "99"], "--scale"),
    ],
)
def test_what_cannot_work(send: Call, fake: Fake, options: list[str], words: str) -> None:
    answer = send(*options)
    assert answer.exit_code == (1 if "--report" in options else 2)
    assert words in answer.stderr
    assert fake.seen == []


def test_nothing_to_send(send: Call, folder: Path) -> None:
    shutil.rmtree(folder)
    assert send().exit_code == 2
    folder.mkdir()
    answer = send()
    assert answer.exit_code == 2
    assert "no pictures in in" in answer.stderr


def test_sub_folders_can_be_left_out_and_names_changed(
    send: Call, fake: Fake, folder: Path
) -> None:
    assert send("--no-recursive", "--suffix", "-big", "-f", "webp").exit_code == 0
    assert sorted(results(folder)) == ["a-big.webp", "b-big.webp"]
    assert fake.seen[0].query["format"] == "webp"


def test_as_json(send: Call) -> None:
    assert json.loads(send("--json", "--quiet").stdout)["done"] == 3


def test_several_at_once_and_each_gets_its_own(send: Call, fake: Fake, folder: Path) -> None:
    for number in range(20):
        (folder / f"{number}.png").write_bytes(PNG + bytes([number]) * 1000)
    together = threading.Barrier(4)

    def answer(seen: Any) -> Any:
        async def late() -> Any:
            import asyncio

            # Only when four are under way does any of them get an answer.
            await asyncio.to_thread(together.wait, 60)
            return picture(b"2x" + seen.body)

        return late()

    fake.otherwise = answer
    for name in ("a.png", "b.jpg", "sub/c.png"):
        (folder / name).unlink()
    assert send("-j", "4").exit_code == 0
    assert results(folder) == {
        f"{number}.png": twice(bytes([number]) * 1000) for number in range(20)
    }


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_leaves_no_partial_file(fake: Fake, folder: Path, number: signal.Signals) -> None:
    arrived = threading.Event()

    async def stalling(scope: Any, receive: Any, send: Any) -> None:
        async def half(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                message = {**message, "headers": [*kept, (b"content-length", b"1000")]}
            await send({**message, "more_body": True} if "body" in message else message)

        await picture(b"half of it")(scope, receive, half)
        arrived.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    fake.answers = [picture()]
    fake.otherwise = Custom(stalling)
    command = [sys.executable, "-m", "hyperfocal", "send", "in", "--url", fake.url, "-o", "out"]
    with subprocess.Popen(
        [*command, "-j", "1", "--report", "report.json"],
        cwd=folder.parent,
        stderr=subprocess.PIPE,
        text=True,
        # A shell may have started these tests with SIGINT ignored, which children inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as program:
        assert arrived.wait(60)
        _, said = told_to_stop(program, number)
    assert program.returncode == 130
    assert "stopped on request" in said
    assert results(folder) == {"a.png": whole(b"a picture")}
    report = json.loads((folder.parent / "report.json").read_text())
    assert report["stopped"]["code"] == "cancelled"
    assert [file["status"] for file in report["files"]] == ["done"]
