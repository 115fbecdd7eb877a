"""Which model a worker takes where the request names none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from hyperfocal import Picture, imaging
from hyperfocal.quality import imresize
from hyperfocal.server.pool.models import Models
from hyperfocal.settings import Settings


def photograph() -> np.ndarray:
    """Sharp bars over soft tones, reduced with a good filter: nothing is wrong with it."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:256, :256] / 256
    large = np.stack([0.5 + 0.2 * np.sin(3 * x + k) for k in range(3)], axis=-1)
    for _ in range(20):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.3, 1.0)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        large[(across > 0) & (across < 0.06)] += rng.uniform(-0.25, 0.25, 3)
    return imresize(np.uint8(np.clip(large * 255, 0, 255)), 0.5).astype(np.uint8)


def pictures() -> dict[str, Picture]:
    """The same picture, whole and badly compressed."""
    file = io.BytesIO()
    Image.fromarray(photograph()).save(file, "JPEG", quality=20)
    return {"photo": Picture(photograph()), "restore": imaging.open(file.getvalue())}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(cache=tmp_path_factory.mktemp("cache"), threads=1)


@pytest.fixture(scope="module")
def both(settings: Settings) -> Models:
    return Models(("photo-fast-x2", "restore-fast-x2"), settings)


@pytest.mark.parametrize("name", [None, "auto"])
@pytest.mark.parametrize("kind", ["photo", "restore"])
def test_damage_is_restored_and_the_rest_enlarged(
    both: Models, name: str | None, kind: str
) -> None:
    chosen = both.choose(name)
    result = chosen.upscaler(pictures()[kind], 2)
    assert result.models == (f"{kind}-fast-x2",)
    assert result.choice is not None
    assert result.choice.kind == kind
    assert set(result.models) <= set(chosen.nets)


def test_auto_can_be_asked_for_where_it_is_not_usual(settings: Settings) -> None:
    models = Models(("photo-realtime-x2",), settings)
    damaged = pictures()["restore"]
    assert models.choose(None).upscaler(damaged, 2).models == ("photo-realtime-x2",)
    automatic = models.choose("auto")
    assert automatic.upscaler(damaged, 2).models == ("restore-fast-x2",)
    assert "restore-fast-x2" in automatic.nets


@pytest.mark.parametrize("kind", ["photo", "restore"])
def test_the_fine_tier_is_chosen_from_by_name(both: Models, kind: str) -> None:
    for _ in range(2):
        fine = both.choose("auto-fine")
        assert fine.upscaler(pictures()[kind], 2).models == (f"{kind}-fine-x2",)
    assert both.choose("auto").upscaler(pictures()[kind], 2).models == (f"{kind}-fast-x2",)


def test_a_named_family_is_taken_whatever_the_picture(both: Models) -> None:
    result = both.choose("photo-fast-x2").upscaler(pictures()["restore"], 2)
    assert (result.models, result.choice) == (("photo-fast-x2",), None)


def test_restore_models_alone_serve_everything(settings: Settings) -> None:
    only = Models(("restore-fast-x2",), settings)
    assert only.choose(None).upscaler(pictures()["photo"], 2).models == ("restore-fast-x2",)


def test_a_scale_that_restoring_lacks_leaves_no_choice(settings: Settings) -> None:
    models = Models(("bicubic-x3", "restore-fast-x2"), settings)
    assert models.choose(None).upscaler(pictures()["restore"], 3).models == ("bicubic-x3",)
