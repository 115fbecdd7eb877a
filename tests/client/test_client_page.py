"""The Python of the page about the client works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from faking import Fake, events, job, made, picture, problem, whole
from starlette.responses import JSONResponse

PAGE = Path(__file__).parents[2] / "docs" / "client.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_works(
    block: str,
    fake: Fake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def answer(seen: Any) -> Any:
        if seen.path == "/v1/feedback":
            return JSONResponse({"id": "feedback-1"}, 201)
        if seen.path == "/v1/jobs":
            return JSONResponse(job(), 202)
        if seen.path.endswith("/events"):
            return events(job("running", 0.5), job("succeeded", 1.0, result=made()))
        if seen.body == b"no picture":
            return problem(422, "broken-picture", "truncated or corrupt")
        return picture(b"larger")

    fake.otherwise = answer
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    exec(block.replace("http://127.0.0.1:8000", fake.url), {})
    said = capsys.readouterr().out
    assert [name.read_bytes() for name in tmp_path.glob("large*.png")] == (
        [] if "no picture" in block else [whole(b"larger")]
    )
    for words in ("photo-fast-x2 41.25",) if "feedback" in block else ():
        assert words in said
    if "jobs.submit" in block:
        assert "50%" in said
    if "no picture" in block:
        assert said == "not a picture: truncated or corrupt\n"
