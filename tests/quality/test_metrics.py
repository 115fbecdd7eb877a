import numpy as np
import pytest
from skimage.color import rgb2ycbcr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hyperfocal.errors import ArrayError
from hyperfocal.quality import DECIBEL_CAP, mse, psnr, scores, snr, ssim
from hyperfocal.quality.decibels import decibels
from hyperfocal.quality.luma import luma, to_8_bit
from hyperfocal.quality.similarity import structural_similarity as own_similarity


@pytest.fixture(params=[(40, 53, 3), (64, 31), (11, 11, 3), (130, 45, 3)], ids=str)
def pair(request):
    rng = np.random.default_rng(3)
    reference = rng.integers(0, 256, request.param)
    image = np.clip(reference + rng.integers(-30, 31, request.param), 0, 255)
    return image.astype(np.uint8), reference.astype(np.uint8)


def plane(image):
    return rgb2ycbcr(image)[..., 0] if image.ndim == 3 else image.astype(np.float64)


def skimage_ssim(a, b):
    return structural_similarity(
        a, b, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )


def test_luma_is_that_of_scikit_image(pair):
    np.testing.assert_allclose(luma(pair[0]), plane(pair[0]), atol=1e-10)


def test_luma_of_black_and_white_is_studio_range():
    shades = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(luma(shades), [[16.0, 235.0]])


def test_psnr_and_ssim_are_those_of_scikit_image(pair):
    a, b = map(plane, pair)
    assert psnr(*pair) == pytest.approx(peak_signal_noise_ratio(b, a, data_range=255), abs=1e-9)
    assert ssim(*pair) == pytest.approx(skimage_ssim(a, b), abs=1e-9)


def test_psnr_and_ssim_are_those_of_torchmetrics(pair):
    pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.image")
    import torch

    a, b = (torch.from_numpy(plane(image))[None, None] for image in pair)
    expected = functional.peak_signal_noise_ratio(a, b, data_range=255.0)
    assert psnr(*pair) == pytest.approx(float(expected), abs=1e-5)
    # Its mean counts the windows that reach beyond the border, into reflections; its map can be
    # cut back to those inside.
    _, full = functional.structural_similarity_index_measure(
        a, b, data_range=255.0, sigma=1.5, return_full_image=True
    )
    inside = full[..., 5 : full.shape[-2] - 5, 5 : full.shape[-1] - 5]
    assert ssim(*pair) == pytest.approx(float(inside.mean()), abs=1e-7)


def test_shave_leaves_the_border_out(pair):
    image, reference = pair
    if min(image.shape[:2]) < 17:
        pytest.skip("too small to shave and still have a window of 11")
    inner = (slice(3, -3),) * 2
    assert scores(image, reference, shave=3) == scores(image[inner], reference[inner])
    spoilt = image.copy()
    spoilt[:3], spoilt[:, -3:] = 0, 0
    assert scores(spoilt, reference, shave=3) == scores(image, reference, shave=3)


def test_mse_and_snr_by_hand():
    reference = np.full((16, 16), 100, np.uint8)
    image = np.full((16, 16), 110, np.uint8)
    assert mse(image, reference) == 100.0
    assert psnr(image, reference) == pytest.approx(10 * np.log10(255**2 / 100))
    assert snr(image, reference) == pytest.approx(20.0)


def test_equal_pictures_score_the_cap(pair):
    found = scores(pair[0], pair[0])
    assert (found.psnr, found.snr, found.mse) == (DECIBEL_CAP, DECIBEL_CAP, 0.0)
    assert found.ssim == pytest.approx(1.0)


def test_a_black_reference_has_no_signal():
    assert snr(np.full((12, 12), 9, np.uint8), np.zeros((12, 12), np.uint8)) == -DECIBEL_CAP


@pytest.mark.parametrize(
    ("signal", "error"), [(1.0, np.inf), (1.0, 1e-12 * np.finfo(np.float64).max), (1e-200, 1e200)]
)
def test_an_error_beyond_all_measure_has_a_finite_figure(signal, error):
    assert decibels(signal, error) == -DECIBEL_CAP


def test_all_at_once_is_one_by_one(pair):
    found = scores(*pair)
    assert found.to_dict() == {
        "psnr": psnr(*pair),
        "ssim": ssim(*pair),
        "mse": mse(*pair),
        "snr": snr(*pair),
    }


def test_depth_does_not_matter(pair):
    image, reference = pair
    deep = image.astype(np.uint16) * 257
    unit = image.astype(np.float32) / 255
    assert scores(deep, reference) == scores(image, reference)
    assert scores(unit, reference.astype(np.float64) / 255) == scores(image, reference)


def test_floats_beyond_the_range_are_clipped():
    np.testing.assert_array_equal(to_8_bit(np.array([-0.5, 0.5, 1.5])), [0, 128, 255])


def test_ssim_falls_with_the_error(pair):
    image, reference = pair
    worse = np.random.default_rng(5).permutation(image.ravel()).reshape(image.shape)
    assert ssim(worse, reference) < ssim(image, reference)


@pytest.mark.parametrize("score", [scores, mse, psnr, snr, ssim])
def test_shapes_that_differ_are_refused(score):
    with pytest.raises(ArrayError, match="differ in shape"):
        score(np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8))


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((20, 20, 4), np.uint8), "must be"),
        (np.zeros((20, 20, 3), np.int64), "uint8, uint16 or float"),
        (np.zeros((0, 20, 3), np.uint8), "not empty|cannot be shaved"),
        (np.full((20, 20), np.nan), "finite"),
        (np.zeros((10, 40), np.uint8), "11x11"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(array, said):
    with pytest.raises(ArrayError, match=said):
        scores(array, array)


@pytest.mark.parametrize("shave", [-1, 10, 50])
def test_shaving_everything_off_is_refused(shave):
    with pytest.raises(ArrayError, match="shaved"):
        psnr(np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8), shave=shave)


def test_similarity_of_planes_that_do_not_match_is_refused():
    with pytest.raises(ArrayError, match="one shape"):
        own_similarity(np.zeros((20, 20)), np.zeros((20, 30)))


def test_what_is_not_visible_does_not_count(pair):
    image, reference = pair
    visible = np.random.default_rng(0).random(image.shape[:2]) < 0.4
    error = (luma(image) - luma(reference))[visible]
    found = scores(image, reference, visible=visible)
    assert found.mse == pytest.approx(np.mean(error**2))
    assert found.psnr == pytest.approx(10 * np.log10(255**2 / np.mean(error**2)))
    power = np.mean(luma(reference)[visible] ** 2)
    assert found.snr == pytest.approx(10 * np.log10(power / np.mean(error**2)))
    other = image.copy()
    other[~visible] = 0
    assert scores(other, reference, visible=visible) == found
    everything = scores(image, reference, visible=np.ones_like(visible))
    assert everything == scores(image, reference)


def test_ssim_leaves_out_windows_that_see_nothing():
    rng = np.random.default_rng(0)
    image, reference = rng.integers(0, 256, (2, 40, 30), dtype=np.uint8)
    visible = np.zeros((40, 30), np.bool_)
    visible[20, 15] = True
    alike = reference.copy()
    alike[20, 15] = image[20, 15]
    # Those that hold the only visible pixel are all that are left.
    expected = ssim(alike[10:31, 5:26], reference[10:31, 5:26])
    assert ssim(image, reference, visible=visible) == pytest.approx(expected)


def test_where_nothing_is_visible_nothing_differs(pair):
    found = scores(*pair, visible=np.zeros(pair[0].shape[:2], np.bool_))
    assert (found.psnr, found.snr, found.ssim, found.mse) == (DECIBEL_CAP, DECIBEL_CAP, 1, 0)
