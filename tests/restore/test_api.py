import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hyperfocal
from hyperfocal.errors import (
    ArrayError,
    BrokenPicture,
    InputError,
    InputMissing,
    ModelMissing,
    OutputError,
    OutputExists,
    OutputRefused,
    UnknownFormat,
    UsageError,
)
from hyperfocal.imaging import Metadata
from hyperfocal.restore import Upscaler

MODEL = "bicubic"


def file_of(pixels, format, **options):
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, format, **options)
    return sink.getvalue()


def test_files(tmp_path, photo):
    source, target = tmp_path / "größe ✓.jpg", tmp_path / "out.png"
    source.write_bytes(file_of(photo(20, 30), "JPEG"))
    assert hyperfocal.upscale(source, target, scale=2, model=MODEL) == target
    with Image.open(target) as made:
        assert (made.format, made.size) == ("PNG", (60, 40))
    assert hyperfocal.upscale(str(source), str(target), scale=3, model=MODEL) == str(target)
    with Image.open(target) as made:
        assert made.size == (90, 60)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_bytes(photo, format):
    made = hyperfocal.upscale(file_of(photo(20, 30), format), scale=2, model=MODEL)
    assert isinstance(made, bytes)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.format, image.size) == (format, (60, 40))


def test_bytes_in_another_format(photo):
    made = hyperfocal.upscale(file_of(photo(20, 30), "JPEG"), scale=2, model=MODEL, format="png")
    assert made.startswith(b"\x89PNG")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_arrays(dtype, channels):
    rng = np.random.default_rng(0)
    full = {"uint8": 255, "uint16": 65535}.get(dtype, 1)
    array = (rng.random((12, 15, *channels)) * full).astype(dtype)
    made = hyperfocal.upscale(array, scale=3, model=MODEL)
    assert isinstance(made, np.ndarray)
    assert made.dtype == dtype
    assert made.shape == (36, 45, *channels)
    assert made.min() >= 0
    assert made.max() <= full


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "P", "1", "CMYK"])
def test_pillow_images(photo, mode):
    image = Image.fromarray(photo(20, 30)).convert(mode)
    made = hyperfocal.upscale(image, scale=2, model=MODEL)
    assert isinstance(made, Image.Image)
    assert made.size == (60, 40)


def test_pictures(photo):
    made = hyperfocal.upscale(hyperfocal.Picture(photo(20, 30)), long_edge=100, model=MODEL)
    assert isinstance(made, hyperfocal.Picture)
    assert made.width == 100


def test_an_output_may_be_written_besides(tmp_path, photo):
    made = hyperfocal.upscale(photo(20, 30), tmp_path / "out.tif", scale=2, model=MODEL)
    assert np.array_equal(hyperfocal.open(tmp_path / "out.tif").pixels, made)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5,), np.uint8),
        np.zeros((5, 5, 2), np.uint8),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((5, 5), np.int32),
        np.zeros((5, 5), bool),
        np.full((5, 5), 255.0),
        np.full((5, 5), -0.1),
        np.full((5, 5), np.nan),
    ],
    ids=["1d", "2 channels", "empty", "int32", "bool", "0..255", "negative", "nan"],
)
def test_arrays_that_are_no_pictures(array):
    with pytest.raises(ArrayError):
        hyperfocal.upscale(array, scale=2, model=MODEL)


@pytest.mark.parametrize("source", [None, 5, [[1, 2], [3, 4]], object()])
def test_things_that_are_no_pictures(source):
    with pytest.raises(UsageError, match="is no picture"):
        hyperfocal.upscale(source, scale=2, model=MODEL)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": ["photo-fast-x2"]},
        {"settings": {"threads": 1}},
        {"memory": [1]},
        {"threads": ([1],)},
        {"output": 3},
        {"size": (side for side in (60, 40))},
        {"cancel": np.bool_(True)},
        {"on_progress": 3},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_values_of_no_kind_that_is_asked_for(photo, wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        hyperfocal.upscale(photo(20, 30), **{"model": "bicubic-x2", **wrong})


def test_errors_keep_their_kind(tmp_path, photo):
    with pytest.raises(UsageError, match="where the result shall go"):
        hyperfocal.upscale("in.jpg", scale=2, model=MODEL)
    with pytest.raises(InputMissing):
        hyperfocal.upscale(tmp_path / "none.png", tmp_path / "out.png", model=MODEL)
    with pytest.raises(UnknownFormat):
        hyperfocal.upscale(b"not a picture", scale=2, model=MODEL)
    with pytest.raises(ModelMissing):
        hyperfocal.upscale(photo(5, 5), model="no-such")
    with pytest.raises(OutputRefused):
        hyperfocal.upscale(photo(5, 5), tmp_path / "out.xyz", model=MODEL)
    with pytest.raises(UsageError, match="only one"):
        hyperfocal.upscale(photo(5, 5), scale=2, long_edge=9, model=MODEL)


def test_models_are_loaded_once(monkeypatch, photo, replicate):
    from hyperfocal import models
    from hyperfocal.restore.kept import KEPT

    loaded = []

    def load(name, *, settings=None):
        loaded.append((name, settings.threads))
        return replicate(2, name=name)

    monkeypatch.setattr(models, "load", load)
    KEPT.clear()
    try:
        for threads in (1, 1, 2):
            hyperfocal.upscale(photo(9, 9), model="bicubic-x2", threads=threads)
    finally:
        KEPT.clear()
    assert loaded == [("bicubic-x2", 1), ("bicubic-x2", 2)]


@pytest.mark.parametrize(
    ("name", "options"), [("out.xyz", {}), ("out", {}), ("out.png", {"format": "xyz"})]
)
def test_an_output_that_cannot_be_is_told_before_the_work(
    tmp_path, photo, monkeypatch, name, options
):
    def work(*_, **__):
        raise AssertionError("restored in vain")

    monkeypatch.setattr(hyperfocal.Upscaler, "__call__", work)
    with pytest.raises(OutputRefused):
        hyperfocal.upscale(photo(8, 8), tmp_path / name, model=MODEL, **options)


@pytest.fixture
def no_work(monkeypatch):
    """Running a model is a failure."""

    def run(*given, **more):
        raise AssertionError("work was begun")

    monkeypatch.setattr(Upscaler, "__call__", run)


@pytest.mark.parametrize("name", ["a.png", "link.png", "../{}/a.png"])
@pytest.mark.parametrize("kind", [str, Path])
def test_an_input_is_never_replaced(no_work, tmp_path, photo, name, kind):
    (tmp_path / "a.png").write_bytes(file_of(photo(8, 8), "PNG"))
    (tmp_path / "link.png").symlink_to("a.png")
    output = kind(tmp_path / name.format(tmp_path.name))
    with pytest.raises(OutputError, match="replace the input") as caught:
        hyperfocal.upscale(kind(tmp_path / "a.png"), output, model=MODEL)
    assert type(caught.value) is OutputError


def test_the_file_of_a_pillow_image_is_not_replaced_either(no_work, tmp_path, photo):
    path = tmp_path / "a.png"
    path.write_bytes(file_of(photo(8, 8), "PNG"))
    with path.open("rb") as file, Image.open(path) as named, Image.open(file) as opened:
        for image in (named, opened):
            with pytest.raises(OutputError, match="replace the input"):
                hyperfocal.upscale(image, tmp_path / ".." / tmp_path.name / "a.png", model=MODEL)


def test_a_pillow_image_whose_file_ends_early_is_broken(no_work, photo):
    data = file_of(photo(64, 64), "JPEG")
    with pytest.raises(BrokenPicture, match="truncated"):
        hyperfocal.upscale(Image.open(io.BytesIO(data[: len(data) // 2])), model=MODEL)


@pytest.mark.parametrize(
    "given",
    [
        {"format": "xyz"},
        {"quality": 500},
        {"quality": "high"},
        {"bit_depth": 7},
        {"format": "jpeg", "bit_depth": 16},
        {"output": "none/out.png"},
        {"output": "folder.png"},
    ],
    ids=str,
)
def test_what_cannot_be_written_is_told_before_the_work(
    no_work, tmp_path, monkeypatch, photo, given
):
    monkeypatch.chdir(tmp_path)
    Path("folder.png").mkdir()
    with pytest.raises(OutputRefused):
        hyperfocal.upscale(file_of(photo(8, 8), "PNG"), model=MODEL, **given)


def test_no_file_has_a_null_byte_in_its_name(no_work, tmp_path, photo):
    (tmp_path / "a.png").write_bytes(file_of(photo(8, 8), "PNG"))
    with pytest.raises(OutputRefused, match="file name"):
        hyperfocal.upscale(tmp_path / "a.png", str(tmp_path / "b\0.png"), model=MODEL)
    with pytest.raises(InputError, match="null byte"):
        hyperfocal.upscale(str(tmp_path / "a\0.png"), tmp_path / "b.png", model=MODEL)


def test_a_result_too_large_for_its_format_is_told_before_the_work(no_work, tmp_path):
    with pytest.raises(OutputRefused, match="16383 pixels a side"):
        hyperfocal.upscale(
            np.zeros((1, 9000), np.uint8), tmp_path / "out.webp", scale=2, model=MODEL
        )


def test_what_is_there_is_replaced_unless_forbidden(tmp_path, photo):
    output = tmp_path / "out.png"
    output.write_bytes(b"old")
    with pytest.raises(OutputExists):
        hyperfocal.upscale(photo(8, 8), output, model=MODEL, overwrite=False)
    assert output.read_bytes() == b"old"
    hyperfocal.upscale(photo(8, 8), output, model=MODEL)
    assert hyperfocal.open(output).width == 16


def test_depth_and_metadata_of_what_is_written(tmp_path, photo):
    given = hyperfocal.Picture(photo(8, 8), metadata=Metadata(xmp=b"<x/>"))
    hyperfocal.upscale(given, tmp_path / "out.png", model=MODEL, bit_depth=16, strip_metadata=True)
    got = hyperfocal.open(tmp_path / "out.png")
    assert (got.bit_depth, got.metadata.xmp) == (16, None)
    source = (tmp_path / "out.png").read_bytes()
    assert hyperfocal.open(hyperfocal.upscale(source, model=MODEL, bit_depth=8)).bit_depth == 8


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_alpha_that_is_no_number(bad):
    alpha = np.ones((8, 8), np.float32)
    alpha[3, 3] = bad
    picture = hyperfocal.Picture(np.full((8, 8, 3), 0.5, np.float32), alpha)
    with pytest.raises(ArrayError, match="not finite"):
        hyperfocal.upscale(picture, model=MODEL)
