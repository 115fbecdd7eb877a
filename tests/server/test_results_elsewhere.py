"""Results and pictures kept in what is no folder of this machine, such as a bucket."""

from __future__ import annotations

import base64
import uuid

from pretending import check_problem


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
