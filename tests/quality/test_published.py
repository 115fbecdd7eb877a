"""Golden scores of bicubic, computed apart from this project: see tests/data/README.md."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal.quality import imresize, scores

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize(
    ("name", "scale", "psnr", "ssim"),
    [
        ("skyline", 2, 28.1157, 0.92630),
        ("skyline", 3, 24.9126, 0.84998),
        ("skyline", 4, 23.2620, 0.76913),
        ("basket", 2, 30.0166, 0.77492),
        ("basket", 3, 28.6377, 0.68344),
        ("basket", 4, 27.8479, 0.63104),
    ],
)
def test_bicubic_by_the_protocol_scores_the_golden_values(name, scale, psnr, ssim):
    high = np.asarray(Image.open(DATA / f"{name}.png"))
    high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
    found = scores(imresize(imresize(high, 1 / scale), scale), high, shave=scale)
    # One sample that rounds the other way moves these by less.
    assert found.psnr == pytest.approx(psnr, abs=1e-3)
    assert found.ssim == pytest.approx(ssim, abs=5e-5)
