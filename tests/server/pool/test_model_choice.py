"""Which model a worker takes where the request names none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperfocal import Picture, imaging
from hyperfocal.errors import BrokenPicture, Cancelled, FidelityTooLow
from hyperfocal.quality import imresize
from hyperfocal.server.pool import Options, Task, work
from hyperfocal.server.pool.estimate import Rates
from hyperfocal.server.pool.models import Models
from hyperfocal.server.served import Served
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


def files() -> dict[str, bytes]:
    """The same picture as files, whole and badly compressed."""
    whole, damaged = io.BytesIO(), io.BytesIO()
    Image.fromarray(photograph()).save(whole, "PNG")
    Image.fromarray(photograph()).save(damaged, "JPEG", quality=20)
    return {"photo": whole.getvalue(), "restore": damaged.getvalue()}


def pictures() -> dict[str, Picture]:
    """The same, decoded."""
    return {kind: imaging.open(data) for kind, data in files().items()}


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
def test_what_is_refused_is_counted_for_the_model_that_made_it(
    both: Models, settings: Settings, tmp_path: Path, kind: str
) -> None:
    options = Options(scale=2, format="png", min_fidelity=200)
    task = Task(tmp_path / "in", tmp_path / "out", options)
    task.source.write_bytes(files()[kind])
    told: list[Served] = []
    job = work.Job(task, both, settings, lambda _: None, lambda: False, Rates(), chosen=told.append)
    with pytest.raises(FidelityTooLow):
        work.do(job)
    assert told[0].model == "photo-fast-x2"
    name = f"{kind}-fast-x2"
    assert told[-1] == Served(name, both.versions[name])
    told.clear()
    # The models were told before they are given the picture, whatever becomes of that.
    task = Task(tmp_path / "in", tmp_path / "out", Options(scale=2, format="png"))
    job = work.Job(
        task,
        both,
        settings,
        lambda _: None,
        lambda: bool(told) and told[-1].model == name,
        Rates(),
        chosen=told.append,
    )
    with pytest.raises(Cancelled):
        work.do(job)
    assert told[-1] == Served(name, both.versions[name])
    told.clear()
    # Cut off behind the header, from which alone it is chosen then.
    whole = files()[kind]
    task.source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenPicture):
        work.do(job)
    assert told == [Served("photo-fast-x2", both.versions["photo-fast-x2"])]


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


@pytest.mark.parametrize(
    ("usual", "restoring", "scale"),
    [("bicubic-x3", "restore-fast-x2", 3), ("bicubic-x2", "restore-fast-x4", 2)],
)
def test_a_scale_out_of_the_reach_of_restoring_leaves_no_choice(
    settings: Settings, usual: str, restoring: str, scale: int
) -> None:
    models = Models((usual, restoring), settings)
    assert models.choose(None).upscaler(pictures()["restore"], scale).models == (usual,)


def test_a_scale_that_restoring_lacks_is_reached_from_the_one_above(settings: Settings) -> None:
    usual = ("bicubic-x2", "bicubic-x3", "bicubic-x4")
    models = Models((*usual, "restore-fast-x2", "restore-fast-x4"), settings)
    automatic = models.choose(None).upscaler
    for kind, name in (("photo", "bicubic-x3"), ("restore", "restore-fast-x4")):
        result = automatic(pictures()[kind], 3)
        assert result.models == (name,)
        assert result.scale == 3
