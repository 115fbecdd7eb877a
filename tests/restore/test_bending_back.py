"""Back-projection never ends further from the input than it began."""

import numpy as np
import pytest

from hyperfocal.imaging.picture import Picture
from hyperfocal.restore import backproject
from hyperfocal.restore.backproject import back_project
from hyperfocal.restore.fidelity import measure
from hyperfocal.restore.progress import Progress
from hyperfocal.restore.resize import add_resized
from hyperfocal.restore.samples import Samples
from hyperfocal.restore.upscaler import Upscaler


def with_lamp(photo, sample):
    pixels = photo(60, 70, dtype=np.float32)
    rows, columns = np.indices(pixels.shape[:2])
    pixels[np.hypot(rows - 20, columns - 40) < 3] = sample
    return Picture(pixels)


@pytest.mark.parametrize("sample", [5, 100, 1000, 65504, 3e38])
@pytest.mark.parametrize("scale", [2, 1.5])
def test_a_lamp_makes_nothing_worse(conv_net, photo, sample, scale):
    upscaler, picture = Upscaler(conv_net(2)), with_lamp(photo, sample)
    plain = upscaler(picture, scale).fidelity.consistency_db
    bent = upscaler(picture, scale, back_project=60, min_fidelity=plain - 0.01)
    assert bent.fidelity.consistency_db >= plain
    # What is told is true of what is given back.
    found = measure(bent.picture.pixels, picture.pixels).decibels
    assert found == pytest.approx(bent.fidelity.consistency_db, abs=1e-6)


def test_a_map_of_heights_is_bent_as_a_photograph_is(photo):
    pixels = photo(60, 70, dtype=np.float32)
    upscaler = Upscaler.load("bicubic-x2")
    gains = []
    for given in (pixels * np.float32(0.5) + np.float32(0.5), pixels * 1000 + np.float32(1000)):
        plain, bent = (
            upscaler(Picture(given), back_project=bound).fidelity.consistency_db
            for bound in (None, 80)
        )
        gains.append(bent - plain)
    assert min(gains) > 8


@pytest.mark.parametrize("kind", ["uint8", "beyond"])
def test_a_step_that_makes_it_worse_is_taken_back(conv_net, photo, monkeypatch, kind):
    pixels = photo(60, 70) if kind == "uint8" else photo(60, 70, dtype=np.float32) * 2
    output = pixels.repeat(2, 0).repeat(2, 1)
    good = output.copy()
    steps = []

    def worse(target, correction, **options):
        steps.append(1)
        if kind == "beyond" and len(steps) == 1:
            add_resized(target, correction, **options)
            good[:] = target
        else:
            target[:] = 0

    monkeypatch.setattr(backproject, "add_resized", worse)
    found, done = back_project(output, pixels, Samples.of(pixels), 99.0, progress=Progress(1))
    assert np.array_equal(output, good)
    assert found.decibels == measure(good, pixels).decibels
    assert done == len(steps) - 1
