from __future__ import annotations

import base64
import io
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from faking import BROKEN_OFF, Fake, made, picture, problem, whole
from PIL import Image
from starlette.responses import HTMLResponse, JSONResponse, Response

from hyperfocal import errors, imaging
from hyperfocal.client import Client
from hyperfocal.client.answers import Health
from hyperfocal.client.errors import StrangeAnswer
from hyperfocal.client.pictures import upload_of
from hyperfocal.depth.given import read_map
from hyperfocal.errors import ArrayError, UsageError

PNG = b"\x89PNG\r\n\x1a\n and more"


def test_bytes_go_as_the_body_with_the_options_in_the_query(fake: Fake, client: Client) -> None:
    restored = client.upscale(
        PNG,
        size=(1920, None),
        model="photo-fast",
        format="webp",
        quality=80,
        strip_metadata=True,
        min_fidelity=30.0,
    )
    (seen,) = fake.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/upscale", PNG)
    assert seen.headers["content-type"] == "image/png"
    assert seen.headers["content-length"] == str(len(PNG))
    assert seen.query == {
        "width": "1920",
        "model": "photo-fast",
        "format": "webp",
        "quality": "80",
        "strip_metadata": "true",
        "min_fidelity": "30.0",
    }
    assert restored.data == whole(b"made of " + PNG, "webp")
    assert (restored.width, restored.height, restored.scale) == (32, 24, 2.0)
    assert (restored.model, restored.model_version) == ("photo-fast-x2", "0123abcd")
    assert (restored.psnr, restored.ssim, restored.basis) == (41.25, 0.991, "consistency")
    assert restored.consistency_db == 41.25
    assert restored.request_id == "request-1"
    assert restored.timing_ms == {"decode": 1.5, "model": 20.0, "encode": 3.25, "total": 25.0}
    assert restored.notes == ("made é",)
    assert restored.choice == {"kind": "photo", "reasons": ["no sign of noise"]}
    assert restored.file_name == "été.png"
    assert (restored.format, restored.bytes) == ("webp", len(restored.data))


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are no text")
def test_a_name_that_is_no_text_goes_as_far_as_it_is(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"f\xfcnf.png")
    path.write_bytes(PNG)
    client.upscale(path, reference=path)
    assert fake.seen[0].fields == {"image": [PNG], "reference": [PNG]}
    assert upload_of(path).name() == "f?nf.png"


@pytest.mark.parametrize("choice", ["", "%7B", "[]", quote('{"kind": 3, "reasons": []}')])
def test_a_choice_that_was_not_made_or_not_understood(fake: Fake, client: Client, choice) -> None:
    fake.otherwise = picture(Hyperfocal_Choice=choice)
    assert client.upscale(PNG).choice is None


DEPTH = {"source": "given", "used": True, "share": 0.25, "blur": 1.5, "given_back": 1.2}


def test_a_depth_map_goes_along(fake: Fake, client: Client, tmp_path: Path) -> None:
    fake.otherwise = picture(Hyperfocal_Depth=quote(json.dumps(DEPTH)))
    restored = client.upscale(PNG, depth=PNG + b"map", reference=PNG + b"more", scale=2)
    assert restored.depth == DEPTH
    assert fake.seen[0].fields == {
        "image": [PNG],
        "reference": [PNG + b"more"],
        "depth": [PNG + b"map"],
        "scale": ["2"],
    }
    path = tmp_path / "map.png"
    path.write_bytes(PNG + b"file")
    client.upscale(PNG, depth=path)
    assert fake.seen[1].fields == {"image": [PNG], "depth": [PNG + b"file"]}


def test_without_any_depth_map(fake: Fake, client: Client) -> None:
    assert client.upscale(PNG, depth=False).depth is None
    assert client.upscale(PNG).depth is None
    assert [seen.query for seen in fake.seen] == [{"use_depth": "false"}, {}]
    assert [seen.body for seen in fake.seen] == [PNG, PNG]


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint16, np.int32])
def test_a_depth_map_in_memory_keeps_its_order(fake: Fake, client: Client, kind: type) -> None:
    """Metres are no brightness: beyond one, and below nothing, they are still near or far."""
    plane = np.array([[0, 1, 2], [30, 400, 5000]], kind)
    if np.dtype(kind).kind != "u":
        plane = plane - kind(7)
    client.upscale(PNG, depth=plane)
    (sent,) = fake.seen[0].fields["depth"]
    assert np.array_equal(read_map(sent), plane.astype(np.float32))


@pytest.mark.parametrize(
    ("depth", "error", "says"),
    [
        (np.zeros((2, 2, 3)), ArrayError, "must be"),
        (np.array([[0.0, np.nan]]), ArrayError, "finite"),
        (np.array([["near"]]), UsageError, "numbers"),
        (3, UsageError, "is no picture"),
    ],
)
def test_what_is_no_depth_map(
    fake: Fake, client: Client, depth: Any, error: Any, says: str
) -> None:
    with pytest.raises(error, match=says):
        client.upscale(PNG, depth=depth)
    assert fake.seen == []


@pytest.mark.parametrize(
    "told",
    [
        "",
        "%7B",
        "[]",
        quote(json.dumps({**DEPTH, "used": 1})),
    ],
)
def test_depth_that_was_not_told_or_not_understood(fake: Fake, client: Client, told: str) -> None:
    fake.otherwise = picture(Hyperfocal_Depth=told)
    assert client.upscale(PNG).depth is None


def test_a_result_that_was_not_measured(fake: Fake, client: Client) -> None:
    fake.otherwise = picture(Hyperfocal_Consistency_DB="", Hyperfocal_PSNR="inf")
    restored = client.upscale(PNG)
    assert restored.consistency_db is None
    assert restored.psnr == float("inf")


def test_a_path_is_streamed_and_so_is_the_result(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.bin", tmp_path / "out.tif"
    source.write_bytes(bytes(3_000_000))
    restored = client.upscale(source, output)
    (seen,) = fake.seen
    assert len(seen.body) == 3_000_000
    assert seen.headers["content-type"] == "application/octet-stream"
    assert seen.query == {"format": "tiff"}
    assert restored.data is None
    assert restored.path == output
    assert restored.bytes == output.stat().st_size > 3_000_008
    assert restored.read() == whole(b"made of " + bytes(3_000_000), "tiff")


def test_what_is_there_is_replaced_only_when_asked(
    fake: Fake, client: Client, tmp_path: Path
) -> None:
    output = tmp_path / "out.png"
    output.write_bytes(b"old")
    with pytest.raises(errors.OutputExists):
        client.upscale(PNG, output, overwrite=False)
    assert fake.seen == []
    client.upscale(PNG, output)
    assert output.read_bytes() != b"old"


def test_an_array_arrives_unchanged(fake: Fake, client: Client) -> None:
    array = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    client.upscale(array)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(fake.seen[0].body))), array)


def test_an_array_of_floats_arrives_unchanged(fake: Fake, client: Client) -> None:
    import tifffile

    array = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    client.upscale(array)
    assert np.array_equal(tifffile.imread(io.BytesIO(fake.seen[0].body)), array)


@pytest.mark.parametrize("mode", ["L", "LA", "La", "RGBA", "CMYK", "P", "1", "I", "I;16", "F"])
def test_a_pillow_image_arrives_as_what_it_is_taken_for_here(
    fake: Fake, client: Client, mode: str
) -> None:
    samples = np.random.default_rng(0).integers(0, 256, (4, 6, 4), np.uint8)
    image = Image.fromarray(samples)
    if mode == "F":
        image = Image.fromarray(samples[..., 0].astype(np.float32) / 255)
    elif mode == "La":
        image = image.convert("LA").convert("La")
    else:
        image = image.convert("L" if mode.startswith("I") else "RGBA").convert(mode)
    client.upscale(image)
    found, wanted = imaging.open(fake.seen[0].body), imaging.from_pil(image)
    assert found.pixels.dtype == wanted.pixels.dtype
    assert np.array_equal(imaging.to_array(found), imaging.to_array(wanted))


def test_what_a_pillow_image_says_goes_along(fake: Fake, client: Client) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (6, 4))
    image.info |= {"icc_profile": profile, "dpi": (300, 300), "xmp": b"<x/>"}
    image.getexif()[274] = 6
    image.getexif()[315] = "someone"
    client.upscale(image)
    found = Image.open(io.BytesIO(fake.seen[0].body))
    assert found.info["icc_profile"] == profile
    assert found.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert found.info["xmp"] == b"<x/>"
    assert found.getexif()[315] == "someone"
    # It was turned the way it is to be seen.
    assert found.size == (4, 6)
    assert found.getexif().get(274, 1) == 1


def test_a_pillow_image_whose_file_ends_early(fake: Fake, client: Client) -> None:
    sink = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(
        sink, "JPEG"
    )
    with pytest.raises(errors.BrokenPicture, match="truncated"):
        client.upscale(Image.open(io.BytesIO(sink.getvalue()[:1500])))
    assert fake.seen == []


def test_a_binary_file_is_read(fake: Fake, client: Client) -> None:
    client.upscale(io.BytesIO(PNG))
    assert fake.seen[0].body == PNG


def test_no_picture_at_all(client: Client) -> None:
    with pytest.raises(errors.UsageError, match="a dict is no picture"):
        client.upscale({})
    with pytest.raises(errors.InputMissing, match=r"nowhere\.png"):
        client.upscale("nowhere.png")
    with pytest.raises(errors.ArrayError):
        client.upscale(np.zeros((3, 3), np.int64))
    with pytest.raises(errors.ArrayError, match="mode LAB"):
        client.upscale(Image.new("LAB", (2, 2)))


def test_two_sizes_at_once(client: Client) -> None:
    with pytest.raises(errors.UsageError, match="scale and long_edge exclude each other"):
        client.upscale(PNG, scale=2, long_edge=100)


def test_a_reference_makes_it_two_parts(fake: Fake, client: Client) -> None:
    fake.otherwise = picture(Hyperfocal_Basis="reference")
    restored = client.upscale(PNG, scale=2, reference=b"GIF89a")
    (seen,) = fake.seen
    assert seen.fields == {"scale": ["2"], "image": [PNG], "reference": [b"GIF89a"]}
    assert restored.basis == "reference"


def test_a_preview(fake: Fake, client: Client) -> None:
    client.preview(PNG, crop=(1, 2, 30, 40))
    assert fake.seen[0].path == "/v1/preview"
    assert fake.seen[0].query == {"crop": "1,2,30,40"}


def test_a_preview_is_of_the_format_of_its_name(fake: Fake, client: Client, tmp_path: Path) -> None:
    client.preview(PNG, tmp_path / "x.jpg")
    client.preview(PNG, tmp_path / "x.jpg", format="png")
    assert [seen.query for seen in fake.seen] == [{"format": "jpeg"}, {"format": "png"}]


def test_an_estimate(fake: Fake, client: Client) -> None:
    answer = {
        "width": 16,
        "height": 12,
        "output_width": 32,
        "output_height": 24,
        "seconds": 0.5,
        "memory_bytes": 1000,
        "model": "photo-fast-x2",
        "format": "png",
        "tiles": 1,
    }
    fake.otherwise = JSONResponse(answer)
    estimate = client.estimate(PNG, scale=2)
    assert {name: getattr(estimate, name) for name in answer} == answer


def test_a_prediction(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse(
        {
            "prediction": "r.png",
            "metrics": {"PSNR": 40.5, "SSIM": 0.9, "basis": "consistency"},
            "url": "/v1/results/r.png",
            "image": "data:image/png;base64," + base64.b64encode(b"made").decode(),
            "request_id": "request-1",
            "model": "photo-fast-x2",
            "width": 32,
            "height": 24,
            "timing_ms": {"total": 12},
        }
    )
    prediction = client.predict(PNG, scale=2, reference=b"GIF89a")
    sent = json.loads(fake.seen[0].body)
    assert base64.b64decode(sent.pop("image")) == PNG
    assert base64.b64decode(sent.pop("reference")) == b"GIF89a"
    assert sent == {"scale": 2}
    assert (prediction.psnr, prediction.ssim, prediction.basis) == (40.5, 0.9, "consistency")
    assert prediction.image == b"made"
    assert prediction.timing_ms == {"total": 12.0}


def test_feedback(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse({"id": 7}, 201)
    assert client.feedback("request-1", "down", reasons=["blurry"], comment="soft") == "7"
    assert json.loads(fake.seen[0].body) == {
        "request_id": "request-1",
        "verdict": "down",
        "reasons": ["blurry"],
        "comment": "soft",
        "keep_picture": False,
    }


def test_a_picture_is_given_away_only_with_consent(fake: Fake, client: Client) -> None:
    with pytest.raises(errors.UsageError, match="consent"):
        client.feedback("request-1", "down", picture=PNG)
    fake.otherwise = JSONResponse({"id": "f"}, 201)
    client.feedback("request-1", "up", reasons=["text", "noise"], keep_picture=True, picture=PNG)
    fields = fake.seen[0].fields
    assert fields["picture"] == [PNG]
    assert fields["reasons"] == ["text,noise"]
    assert fields["keep_picture"] == ["true"]


def test_the_models(fake: Fake, client: Client) -> None:
    fake.otherwise = JSONResponse(
        [
            {
                "name": "photo-fast-x2",
                "scale": 2,
                "tier": "fast",
                "purpose": "photographs",
                "version": "0123",
                "loaded": True,
                "licence": "MIT",
                "precision": "int8",
            }
        ]
    )
    (model,) = client.models()
    assert (model.name, model.scale, model.loaded) == ("photo-fast-x2", 2, True)


def test_health(fake: Fake, client: Client) -> None:
    fake.answers = [JSONResponse({"version": "1.2"}), problem(503, "draining")]
    health = client.health()
    assert (health.alive, health.ready, health.version) == (True, False, "1.2")
    fake.answers = [JSONResponse({"version": "1.2"}), JSONResponse({"status": "ready"})]
    assert client.health() == Health(alive=True, ready=True, version="1.2")
    # What a page's own server says of itself is not asked.
    assert fake.paths() == ["/version", "/readyz"] * 2


@pytest.mark.parametrize(
    ("answer", "alive"),
    [
        (problem(503, "too-many-connections"), True),
        (problem(429, "rate-limited"), True),
        (problem(502, "api-unreachable"), False),
        (problem(504, "api-timeout"), False),
        (problem(404, "not-found"), False),
        (HTMLResponse("bad gateway", 502), False),
        (HTMLResponse("no server is available", 503), False),
        (HTMLResponse("gateway timeout", 504), False),
        (HTMLResponse("<h1>Please sign in</h1>"), False),
        (BROKEN_OFF, False),
    ],
)
def test_alive_is_a_service_that_answers_itself(
    fake: Fake, client: Client, answer: Response, alive: bool
) -> None:
    fake.otherwise = answer
    assert client.health() == Health(alive=alive, ready=False, version=None)


def test_the_key_goes_along_and_is_not_shown(fake: Fake) -> None:
    with Client(fake.url, "secret-key") as client:
        client.upscale(PNG)
        assert "secret-key" not in repr(client)
    assert fake.seen[0].headers["authorization"] == "Bearer secret-key"
    assert fake.seen[0].headers["user-agent"].startswith("hyperfocal/")


def test_the_key_goes_along_with_a_password_in_the_address(fake: Fake) -> None:
    with Client(fake.url.replace("//", "//me:secret@"), "the-key") as client:
        client.upscale(PNG)
        with client.again() as other:
            other.upscale(PNG)
    with Client(fake.url.replace("//", "//me:secret@")) as client:
        client.upscale(PNG)
    with Client(fake.url, "the-key") as client:
        client.upscale(PNG)
    basic = "Basic " + base64.b64encode(b"me:secret").decode()
    given = [(one.headers.get("authorization"), one.headers.get("x-api-key")) for one in fake.seen]
    assert given == [
        (basic, "the-key"),
        (basic, "the-key"),
        (basic, None),
        ("Bearer the-key", None),
    ]


@pytest.mark.parametrize("key", ["", "a\nb", "ключ"])
def test_an_impossible_key(key: str) -> None:
    with pytest.raises(errors.UsageError, match="API key"):
        Client("http://127.0.0.1:1", key)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://host/", "http://", "http://[::1"])
def test_an_impossible_address(url: str) -> None:
    with pytest.raises(errors.UsageError, match="no address"):
        Client(url)


def test_an_impossible_timeout() -> None:
    with pytest.raises(errors.UsageError, match="timeout"):
        Client("http://127.0.0.1:1", timeout=0)


@pytest.mark.parametrize(
    "answer",
    [
        JSONResponse({"width": 3}),
        JSONResponse([1]),
        JSONResponse({**made(), "width": "wide"}),
    ],
)
def test_json_that_was_not_agreed(fake: Fake, client: Client, answer: JSONResponse) -> None:
    fake.otherwise = answer
    with pytest.raises(StrangeAnswer):
        client.estimate(PNG)


def test_saving_again_elsewhere(fake: Fake, client: Client, tmp_path: Path) -> None:
    restored = client.upscale(PNG)
    restored.save(tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == restored.data
    with pytest.raises(errors.OutputExists):
        restored.save(tmp_path / "x.png", overwrite=False)


def test_the_result_as_pixels(fake: Fake, client: Client) -> None:
    array = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    fake.otherwise = lambda seen: picture(seen.body)
    restored = client.upscale(array)
    assert np.array_equal(restored.array(), array)
    assert np.array_equal(np.asarray(restored.pil()), array)
