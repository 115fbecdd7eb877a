import numpy as np
import pytest
from PIL import Image

from hyperfocal.errors import InputError, InputMissing
from hyperfocal.evaluate.perceptual import perceptual
from hyperfocal.quality import imresize
from hyperfocal.quality.fsim import fsim
from hyperfocal.quality.perceptual import gmsd, haarpsi
from hyperfocal.quality.resize import enlarge_bicubic


def test_bicubic_through_the_engine_looks_as_bicubic_by_itself(originals):
    found = perceptual(originals, "bicubic-x2")
    assert found.gmsd == pytest.approx(found.bicubic_gmsd, abs=1e-3)
    assert found.haarpsi == pytest.approx(found.bicubic_haarpsi, abs=2e-3)
    assert found.fsim == pytest.approx(found.bicubic_fsim, abs=1e-3)
    names = {"gmsd", "fsim", "haarpsi"}
    assert set(found.to_dict()) == names | {f"bicubic_{name}" for name in names}


def test_the_border_is_left_out(originals):
    with Image.open(originals / "a.png") as image:
        high = np.asarray(image)
    made = enlarge_bicubic(imresize(high, 0.5), 2)
    inner = (slice(2, -2), slice(2, -2))
    found = perceptual(originals, "bicubic-x2", first=1)
    assert found.bicubic_gmsd == pytest.approx(gmsd(made[inner], high[inner]))
    assert found.bicubic_fsim == pytest.approx(fsim(made[inner], high[inner]))
    assert found.bicubic_haarpsi == pytest.approx(haarpsi(made[inner], high[inner]))


def test_a_picture_that_is_too_small_is_named(originals, make_scene):
    Image.fromarray(make_scene(9, 40, 18)).save(originals / "small.png")
    with pytest.raises(InputError, match=r"small has 18x40 pixels; at x2 .* from 20x20 on"):
        perceptual(originals, "bicubic-x2")
    Image.fromarray(make_scene(9, 40, 20)).save(originals / "small.png")
    assert perceptual(originals, "bicubic-x2").fsim > 0.5


def test_a_missing_suite_is_named(tmp_path):
    with pytest.raises(InputMissing):
        perceptual(tmp_path, "bicubic-x2")
