"""Results kept in what is no folder of this machine, such as a bucket, or removed elsewhere."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import pytest
from pretending import check_problem
from starlette.responses import FileResponse

from hyperfocal.server.results import Shelf


def test_results_jobs_and_pictures_in_a_bucket(pretending, png, tmp_path):
    bucket = f"memory://{uuid.uuid4().hex}"
    with pretending(results=f"{bucket}/results", pictures=f"{bucket}/pictures") as running:
        client = running.client
        sent = base64.b64encode(png).decode()
        predicted = client.post("/predict", json={"image": sent}).json()
        fetched = client.get(predicted["url"])
        assert (fetched.content, fetched.headers["content-type"]) == (png[::-1], "image/png")
        assert fetched.headers["content-length"] == str(len(png))

        address = client.post("/v1/jobs", content=png).headers["location"]
        # The stream of events ends when the job has.
        assert client.get(f"{address}/events").status_code == 200
        result = client.get(f"{address}/result")
        assert (result.status_code, result.content) == (200, png[::-1])
        assert client.get(client.get(address).json()["result"]["url"]).content == png[::-1]
        link = client.get(address).json()["result"]["url"]
        assert client.delete(address).json()["status"] == "expired"
        check_problem(client.get(link), 404, "not-found")

        about = {"request_id": predicted["request_id"], "verdict": "up", "keep_picture": "true"}
        kept = client.post("/v1/feedback", data=about, files={"picture": png})
        assert kept.json()["picture"] is True
        assert len(running.service.store.pictures.entries()) == 1
        assert client.delete(f"/v1/feedback/{about['request_id']}").json()["pictures"] == 1
        assert running.service.store.pictures.entries() == []
    assert not (tmp_path / "data" / "results").exists()


@pytest.mark.parametrize("where", ["disk", "bucket"])
@pytest.mark.parametrize("part", [{}, {"range": "bytes=1-2"}, {"range": "bytes=0-1,4-5"}])
def test_a_result_that_goes_after_it_was_found_is_gone(
    pretending, png, monkeypatch, caplog, where, part
):
    elsewhere = {"results": f"memory://{uuid.uuid4().hex}"} if where == "bucket" else {}
    find = Shelf.find

    async def too_late(shelf, name):
        kept = await find(shelf, name)
        await shelf.delete(name)
        return kept

    with pretending(**elsewhere) as running:
        links = links_to_results(running.client, png)
        monkeypatch.setattr(Shelf, "find", too_late)
        for link in links:
            check_problem(running.client.get(link, headers=part), 404, "not-found")
    assert "Traceback" not in caplog.text


def test_a_result_that_goes_while_it_is_opened_is_gone(running, png, monkeypatch):
    look = FileResponse.set_stat_headers

    def too_late(answer, found):
        look(answer, found)
        Path(answer.path).unlink()

    links = links_to_results(running.client, png)
    monkeypatch.setattr(FileResponse, "set_stat_headers", too_late)
    for link in links:
        check_problem(running.client.get(link), 404, "not-found")


def links_to_results(client, png):
    sent = base64.b64encode(png).decode()
    job = client.post("/v1/jobs", content=png).headers["location"]
    client.get(f"{job}/events")
    return client.post("/predict", json={"image": sent}).json()["url"], f"{job}/result"
