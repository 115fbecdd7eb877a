"""What the restore models must not do to damaged pictures: shift colours, ring, invent texture."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import hyperfocal

PICTURES = Path(__file__).parent.parent / "data"
pytestmark = pytest.mark.parametrize(
    "model", ["restore-fast-x2", "restore-fine-x2", "restore-fast-x4", "restore-fine-x4"]
)


def damaged(pixels):
    """With the noise of a small sensor, as a JPEG of quality 60."""
    noise = np.random.default_rng(5).normal(0.0, 4.0, pixels.shape)
    file = io.BytesIO()
    noisy = np.rint(pixels + noise).clip(0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(file, "JPEG", quality=60, subsampling=0)
    return np.asarray(Image.open(file))


def restored(pixels, model):
    made = hyperfocal.upscale(pixels, scale=int(model[-1]), model=model, precision="float")
    return made.astype(np.float64)


@pytest.mark.parametrize("name", ["basket", "skyline"])
def test_colours_stay(model, name):
    given = damaged(np.asarray(Image.open(PICTURES / f"{name}.png").convert("RGB")))
    shift = restored(given, model).mean(axis=(0, 1)) - given.mean(axis=(0, 1))
    assert np.abs(shift).max() < 2.0


def test_an_edge_does_not_ring(model):
    edge = np.full((64, 64, 3), 60, np.uint8)
    edge[:, 32:] = 200
    soft = np.asarray(Image.fromarray(edge).filter(ImageFilter.GaussianBlur(0.7)))
    given = damaged(soft)
    made = restored(given, model)
    # The noise of the input reaches as far.
    assert made.min() > given.min() - 12.0
    assert made.max() < given.max() + 12.0
    # Away from the edge each side is as flat as the blocks of the JPEG are.
    columns = made.mean(axis=(0, 2))
    quarter = len(columns) // 4
    assert np.ptp(columns[8 : 2 * quarter - 16]) < 8.0
    assert np.ptp(columns[2 * quarter + 16 : -8]) < 8.0


def test_a_flat_surface_gets_no_texture(model):
    given = damaged(np.full((64, 64, 3), 128, np.uint8))
    assert restored(given, model).std() < 0.9 * given.std()
