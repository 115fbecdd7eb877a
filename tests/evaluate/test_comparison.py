import json

import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import ArrayError, InputMissing, PairMismatch
from hyperfocal.evaluate import compare
from hyperfocal.imaging.code_points import profile
from hyperfocal.imaging.picture import Picture
from hyperfocal.quality import DECIBEL_CAP, consistency, imresize, scores


def test_two_files_of_one_size(tmp_path, make_scene):
    a, b = make_scene(1), make_scene(2)
    Image.fromarray(a).save(tmp_path / "a.png")
    Image.fromarray(b).save(tmp_path / "b.png")
    found = compare(tmp_path / "a.png", str(tmp_path / "b.png"), shave=2)
    expected = scores(a, b, shave=2)
    assert (found.psnr, found.ssim, found.mse, found.snr) == (
        expected.psnr,
        expected.ssim,
        expected.mse,
        expected.snr,
    )
    assert (found.basis, found.consistency, found.scale, found.notes) == ("luma", None, None, ())
    assert (found.a, found.b) == (str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert json.loads(found.to_json()) == found.to_dict()


@pytest.mark.parametrize("scale", [2, 4, 1.5])
def test_an_enlargement_in_either_order(make_scene, scale):
    small = make_scene(1)
    large = imresize(small, scale)
    for found in (compare(large, small), compare(small, large)):
        assert found.consistency == consistency(large, small)
        assert found.scale == pytest.approx(scale, abs=0.02)
        assert (found.psnr, found.basis) == (None, "rgb")


def test_sides_rounded_to_whole_pixels_are_in_proportion(make_scene):
    small = make_scene(1, 37, 53)
    assert compare(imresize(small, size=(70, 100)), small).consistency > 25
    # A reduction of 333x251 to a quarter: 83.25x62.75.
    assert compare(make_scene(1, 251, 333), make_scene(1, 63, 83)).scale == pytest.approx(
        4, abs=0.1
    )


@pytest.mark.parametrize("size", [(48, 30), (24, 60), (50, 50), (96, 100), (24, 33), (45, 60)])
def test_sizes_that_do_not_fit_are_refused(make_scene, size):
    with pytest.raises(PairMismatch, match="neither equal nor in proportion"):
        compare(make_scene(1), make_scene(1, *size))


TRANSPARENT = "transparency is not compared, nor is colour that it hides"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_hidden_colour_does_not_count_and_transparency_is_told(make_scene, dtype):
    scene = make_scene(1) if dtype == np.uint8 else np.float32(make_scene(1)) / 255
    full = 255 if dtype == np.uint8 else 1
    alpha = np.full(scene.shape[:2], full, dtype)
    alpha[:9] = 0
    other = scene.copy()
    other[:9] = np.random.default_rng(0).random(other[:9].shape) * full
    found = compare(Picture(scene, alpha), Picture(other, alpha))
    assert (found.mse, found.notes[0]) == (0.0, TRANSPARENT)
    assert not any("not equal" in note for note in found.notes)
    small = Picture(imresize(scene, 0.5).astype(dtype), np.ascontiguousarray(alpha[::2, ::2]))
    one, two = (compare(Picture(given, alpha), small) for given in (scene, other))
    assert one.consistency == two.consistency
    assert two.notes == (TRANSPARENT,)


def canvas(pixels, margin):
    around = [(margin, margin), (margin, margin), (0, 0)][: pixels.ndim]
    alpha = np.pad(np.full(pixels.shape[:2], 255, np.uint8), margin)
    return Picture(np.pad(pixels, around), alpha)


def test_a_transparent_margin_changes_no_figure(make_scene):
    a, b = make_scene(1), make_scene(2)
    plain, wide = compare(a, b), compare(canvas(a, 60), canvas(b, 60))
    assert (wide.psnr, wide.snr, wide.mse) == pytest.approx((plain.psnr, plain.snr, plain.mse))
    # Of its windows those on the border see some of the margin.
    assert plain.ssim <= wide.ssim < plain.ssim + 0.4
    large = imresize(a, 2).astype(np.uint8)
    found = compare(canvas(large, 120), canvas(a, 60)).consistency
    assert found == pytest.approx(compare(large, a).consistency, abs=0.5)


def test_what_one_of_the_two_hides_is_not_compared(make_scene):
    scene = make_scene(1)
    alpha = np.full(scene.shape[:2], 255, np.uint8)
    alpha[:20] = 0
    cut = scene.copy()
    cut[:20] = 255
    for given in ((Picture(cut, alpha), scene), (scene, Picture(cut, alpha))):
        assert compare(*given).psnr == DECIBEL_CAP
    large = imresize(scene, 2).astype(np.uint8)
    cut_large = large.copy()
    cut_large[:40] = 255
    cut_out = Picture(cut_large, alpha.repeat(2, 0).repeat(2, 1))
    plain = compare(large, scene).consistency
    assert compare(cut_out, scene).consistency > plain - 3


def test_where_the_two_show_nothing_in_common_nothing_differs(make_scene):
    alpha = np.zeros((48, 60), np.uint8)
    alpha[:, :30] = 255
    one, other = Picture(make_scene(1), alpha), Picture(make_scene(2), 255 - alpha)
    found = compare(one, other)
    assert (found.psnr, found.ssim, found.mse) == (DECIBEL_CAP, 1.0, 0.0)
    small = Picture(make_scene(2, 24, 30), np.ascontiguousarray((255 - alpha)[::2, ::2]))
    assert compare(one, small).consistency == DECIBEL_CAP


def test_samples_beyond_0_to_1_are_clipped_and_told(make_scene):
    scene = np.float32(make_scene(1)) / 255
    bright = scene.copy()
    bright[3, 5], bright[2, 2] = 3.25, -0.5
    found = compare(Picture(bright, source="tiff"), scene)
    rounded = "scored in 8 bits, as the literature does"
    assert found.notes == (rounded, "tiff: samples from -0.5 to 3.25 were clipped to 0 to 1")
    # What is left out is not told; nor is what no 8-bit level shows.
    assert compare(bright, scene, shave=4).notes == (rounded,)
    assert not any("clipped" in note for note in compare(scene + np.float32(0.001), scene).notes)
    # Consistency weighs them.
    small = imresize(bright, 0.5)
    assert compare(bright, small).notes == ()


def test_floats_of_any_size_are_compared(make_scene):
    small = imresize(make_scene(1), 0.5).astype(np.float32) / 255
    large = imresize(small, 2).astype(np.float32)
    large[0, 0] = -3.4e38
    # Two of its samples reach that far, and are off by white.
    assert 20 < compare(large, small).consistency < 30


def test_colours_that_are_declared_otherwise_are_told(make_scene):
    scene = make_scene(1)
    plain, pq, hlg = (Picture(scene, code_points=at) for at in (None, (9, 16), (9, 18)))
    told = "the colours that are declared differ ({}); sample values are compared as they are"
    assert compare(pq, plain).notes == (told.format("BT.2020, PQ and sRGB"),)
    assert compare(scene, hlg).notes == (told.format("sRGB and BT.2020, HLG"),)
    assert compare(pq, hlg).notes == (told.format("BT.2020, PQ and BT.2020, HLG"),)
    assert compare(pq, Picture(scene, code_points=(9, 16))).notes == ()
    wide = profile(12, 13)
    assert compare(pq, Picture(scene, icc=wide)).notes == (
        told.format("BT.2020, PQ and Display P3"),
    )
    assert compare(plain, Picture(scene, icc=wide)).notes == (
        "the colour profiles differ; sample values are compared as they are",
    )


def test_an_alpha_channel_that_hides_nothing_is_no_transparency(make_scene):
    scene = make_scene(1)
    alpha = np.full(scene.shape[:2], 255, np.uint8)
    assert compare(Picture(scene, alpha), scene).notes == ()
    partial = alpha.copy()
    partial[0, 0] = 254
    for given in ((Picture(scene, partial), scene), (scene, Picture(scene, partial))):
        assert compare(*given).notes == (TRANSPARENT,)


def test_grey_is_scored_on_its_values(make_scene):
    a, b = make_scene(1, grey=True), make_scene(2, grey=True)
    found = compare(a, b)
    assert found.basis == "grey"
    assert found.mse == pytest.approx(np.mean((a.astype(float) - b) ** 2))


def test_grey_against_the_same_in_colour(make_scene):
    grey = make_scene(1, grey=True)
    found = compare(grey, np.repeat(grey[..., None], 3, axis=2))
    assert found.psnr == 100.0
    assert "grey" in found.notes[0]


def test_pictures_bytes_and_profiles(tmp_path, make_scene):
    pixels = make_scene(1)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = compare((tmp_path / "a.png").read_bytes(), Picture(pixels, icc=b"profile"))
    assert (found.a, found.b, found.psnr) == ("bytes", "picture", 100.0)
    assert "profiles differ" in found.notes[0]


def test_depths_may_differ(make_scene):
    pixels = make_scene(1)
    assert compare(pixels.astype(np.uint16) * 257, pixels).psnr == 100.0


def test_no_such_file(tmp_path, make_scene):
    with pytest.raises(InputMissing):
        compare(tmp_path / "none.png", make_scene(1))


def test_an_array_that_is_no_picture():
    with pytest.raises(ArrayError):
        compare(np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4, 2), np.uint8))
