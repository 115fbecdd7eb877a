"""Tasks in, answers out: nothing lost, nothing mixed up."""

import asyncio

import numpy as np
import pytest

from hyperfocal import imaging, models
from hyperfocal.errors import (
    BrokenPicture,
    FidelityTooLow,
    InputMissing,
    ModelMissing,
    PairMismatch,
    TooLarge,
    UnknownFormat,
    UsageError,
)
from hyperfocal.imaging import Picture
from hyperfocal.quality import imresize, scores
from hyperfocal.restore import Upscaler
from hyperfocal.server.errors import DeadlinePassed, Draining, QueueFull
from hyperfocal.server.pool import Task
from hyperfocal.settings import Settings

_FAST_AND_FINE = ("photo-fast-x2", "photo-fine-x2")


def test_the_result_is_the_engines_byte_for_byte(runner, desk, open_pool, tmp_path):
    rng = np.random.default_rng(1)
    coarse = rng.integers(60, 200, (12, 14, 3), np.uint8)
    source = desk.write(imresize(coarse, size=(96, 112)), ".jpg", quality=85)

    async def pooled():
        async with open_pool(models=("photo-fast-x2",)) as pool:
            progress = []
            task = desk.task(source)
            answer = await pool.run(task, seconds=60, on_progress=progress.append)
            deep = desk.task(source, format="tiff", bit_depth=16, scale=3)
            return pool, task, answer, progress, deep, await pool.run(deep, seconds=60)

    pool, task, answer, progress, deep, second = runner.run(pooled())
    upscaler = Upscaler.load("photo-fast-x2", settings=Settings.read(threads=1))
    picture = imaging.open(source)
    made = upscaler(picture)
    expected = imaging.encode(made.picture, "jpeg")
    assert task.output.read_bytes() == expected
    assert deep.output.read_bytes() == imaging.encode(
        upscaler(picture, 3).picture, "tiff", bit_depth=16
    )
    assert (answer.width, answer.height, answer.scale) == (224, 192, 2.0)
    assert (answer.format, answer.media_type) == ("jpeg", "image/jpeg")
    assert answer.bytes == len(expected)
    assert answer.consistency_db == pytest.approx(made.fidelity.consistency_db)
    assert answer.psnr == answer.consistency_db
    assert answer.basis == "consistency"
    assert 0.9 < answer.ssim <= 1
    assert set(answer.timing_ms) == {"decode", "model", "encode", "total"}
    assert answer.statistics["jpeg_quality"] == 85
    assert answer.statistics["width"] == 112
    card = upscaler._shelf.get(2).card
    assert card.weights[upscaler.precision].sha256.startswith(answer.model_version)
    assert len(answer.model_version) == 12
    assert second.model == "photo-fast-x2+photo-fast-x2"
    assert progress == sorted(progress)
    assert progress[0] > 0
    assert progress[-1] <= 1
    assert len(progress) >= 2
    assert desk.leftovers() == sorted([task.output.name, deep.output.name])
    assert not pool.ready


def test_thirty_at_once_each_get_their_own(runner, desk, open_pool, noise):
    pictures = [noise(seed) for seed in range(30)]

    async def all_at_once():
        async with open_pool(workers=2, queue=30) as pool:
            tasks = [desk.task(picture, format="png") for picture in pictures]
            await asyncio.gather(*(pool.run(task, seconds=60) for task in tasks))
            return tasks, pool.running, pool.waiting, pool.retry_after

    tasks, running, waiting, retry_after = runner.run(all_at_once())
    upscaler = Upscaler.load("bicubic-x2")
    for task, pixels in zip(tasks, pictures, strict=True):
        expected = upscaler(Picture(pixels)).picture.pixels
        np.testing.assert_array_equal(imaging.open(task.output).pixels, expected)
    assert (running, waiting, retry_after) == (0, 0, 1)


def test_each_error_comes_back_as_itself(runner, desk, open_pool, noise):
    whole = desk.write(noise(0))
    broken = desk.folder / "broken.png"
    broken.write_bytes(whole.read_bytes()[:-40])
    text = desk.folder / "text.png"
    text.write_text("no picture")
    wide = desk.write(noise(0, 16, 2000))
    small = desk.write(noise(0, 20, 30))
    cases = [
        (desk.task(desk.folder / "nowhere.png"), InputMissing, "no such file"),
        (desk.task(broken), BrokenPicture, "the picture: truncated or corrupt PNG"),
        (desk.task(text), UnknownFormat, "not a picture"),
        (desk.task(wide), TooLarge, "limit"),
        (desk.task(whole, scale=3, long_edge=100), UsageError, "only one"),
        (desk.task(whole, scale=9), UsageError, "scale must be from 1 to 8"),
        (desk.task(whole, model="photo-fats"), ModelMissing, "did you mean"),
        (desk.task(whole, format="xcf"), UsageError, "cannot be written"),
        (desk.task(whole, format="jpeg", bit_depth=16), UsageError, "8 bits"),
        (desk.task(whole, format="jpeg", quality=101), UsageError, "0 to 100"),
        (desk.task(whole, min_fidelity=99), FidelityTooLow, "dB"),
        (desk.task(whole, crop=(60, 40, 10, 10)), UsageError, "inside the picture"),
        (desk.task(wide, kind="preview", crop=(0, 0, 600, 16)), UsageError, "512x512"),
        (desk.task(whole, reference=small), PairMismatch, "128x96"),
        (desk.task(whole, kind="estimate", scale=8), TooLarge, "limit"),
        (desk.task(broken, kind="check"), BrokenPicture, "the picture: truncated"),
        (desk.task(text, kind="check"), UnknownFormat, "not a picture"),
        (desk.task(wide, kind="check"), TooLarge, "max_pixels"),
    ]

    async def run_all():
        async with open_pool(max_pixels=30_000, max_output_pixels=100_000) as pool:
            found = []
            for task, kind, words in cases:
                with pytest.raises(kind) as caught:
                    await pool.run(task, seconds=60)
                assert type(caught.value) is kind
                assert words in str(caught.value)
                assert str(desk.folder) not in str(caught.value)
                found.append(caught.value)
            good = await pool.run(desk.task(whole), seconds=60)
            return found, good, pool.restarts

    found, good, restarts = runner.run(run_all())
    assert len(found) == len(cases)
    assert good.width == 128
    assert sum(restarts.values()) == 0
    assert len(desk.leftovers()) == 1


def test_a_reference_is_scored_as_the_literature_does(runner, desk, open_pool, noise):
    truth = imresize(noise(3, 80, 100), size=(160, 200))
    low = desk.write(imresize(truth, size=(80, 100)))
    reference = desk.write(truth)

    async def scored():
        async with open_pool() as pool:
            task = desk.task(low, reference=reference, format="png")
            return task, await pool.run(task, seconds=60)

    task, answer = runner.run(scored())
    expected = scores(imaging.open(task.output).pixels, truth)
    assert answer.basis == "reference"
    assert answer.psnr == pytest.approx(expected.psnr)
    assert answer.ssim == pytest.approx(expected.ssim)
    assert answer.consistency_db != pytest.approx(answer.psnr)


def test_previews_and_estimates(runner, desk, open_pool, noise):
    pixels = noise(4, 600, 700)
    source = desk.write(pixels)

    async def both():
        async with open_pool() as pool:
            named = desk.task(source, kind="preview", crop=(10, 20, 30, 40), model="bicubic-x2")
            central = desk.task(source, kind="preview")
            estimate = desk.task(source, kind="estimate", scale=2, format="jpg")
            return (
                (named, await pool.run(named, seconds=60)),
                (central, await pool.run(central, seconds=60)),
                await pool.run(estimate, seconds=60),
            )

    (named, first), (_, second), estimate = runner.run(both())
    assert (first.width, first.height) == (60, 80)
    expected = Upscaler.load("bicubic-x2")(Picture(pixels[20:60, 10:40])).picture.pixels
    np.testing.assert_array_equal(imaging.open(named.output).pixels, expected)
    assert second.model == "photo-realtime-x2"
    assert (second.width, second.height) == (1024, 1024)
    assert (estimate.width, estimate.height, estimate.format) == (1400, 1200, "jpeg")
    assert estimate.statistics["width"] == 700
    assert estimate.estimate["tiles"] == 1
    assert estimate.estimate["seconds"] > 0
    assert estimate.estimate["memory_bytes"] > pixels.size
    assert estimate.bytes == 0


def test_an_estimate_knows_a_model_that_has_made_nothing_yet(runner, desk, open_pool, noise):
    source = desk.write(noise(4, 300, 300))

    async def two():
        async with open_pool() as pool:
            tasks = (desk.task(source, kind="estimate", model=name) for name in _FAST_AND_FINE)
            return [await pool.run(task, seconds=60) for task in tasks]

    # Each is timed once. Where the machine did other things meanwhile, that is no measure.
    for _ in range(5):
        fast, fine = runner.run(two())
        assert (fast.model, fine.model) == _FAST_AND_FINE
        assert fast.estimate["seconds"] > 0.005
        # Three times as long, and some room.
        if fine.estimate["seconds"] > 1.5 * fast.estimate["seconds"]:
            return
    raise AssertionError((fast.estimate, fine.estimate))


def test_an_estimate_knows_the_models_of_a_family_and_of_a_choice(runner, desk, open_pool, noise):
    source = desk.write(noise(4, 200, 200))
    asked = (("photo-realtime", 4), ("photo-fast", 3), ("auto", 3), ("auto", 3), ("auto-fine", 2))

    async def each():
        async with open_pool() as pool:
            tasks = [
                desk.task(source, kind="estimate", model=name, scale=scale) for name, scale in asked
            ]
            return [await pool.run(task, seconds=60) for task in tasks]

    found = runner.run(each())
    assert [answer.model for answer in found] == [
        "photo-realtime-x4",
        "photo-fast-x3",
        "photo-fast-x3",
        "photo-fast-x3",
        "photo-fine-x2",
    ]
    # What is damaged is enlarged four times and then reduced.
    named, automatic = found[1].estimate, found[3].estimate
    assert automatic["memory_bytes"] > named["memory_bytes"] + 200 * 200 * (16 - 9)
    assert automatic["seconds"] > 0


def test_a_full_line_turns_away_and_jobs_come_last(runner, desk, open_pool, tricky):
    order = []

    async def crowded():
        async with open_pool(queue=2) as pool:

            async def run(name, wait):
                await pool.run(desk.flat(tricky.HELD), seconds=60, wait=wait)
                order.append(name)

            running = [asyncio.create_task(run("first", False))]
            await desk.begun()
            jobs = [asyncio.create_task(run(f"job {at}", True)) for at in range(3)]
            await asyncio.sleep(0)
            tasks = [asyncio.create_task(run(f"task {at}", False)) for at in range(2)]
            await asyncio.sleep(0)
            assert (pool.running, pool.waiting) == (1, 2)
            with pytest.raises(QueueFull, match="waiting"):
                await pool.run(desk.flat(9), seconds=60)
            assert pool.retry_after >= 1
            desk.go(6)
            await asyncio.gather(*running, *jobs, *tasks)

    runner.run(crowded())
    assert order == ["first", "task 0", "task 1", "job 0", "job 1", "job 2"]


def test_a_check_decodes_and_makes_nothing(runner, desk, open_pool, noise):
    source = desk.write(noise(0, 40, 56), ".jpg")

    async def look():
        async with open_pool() as pool:
            return await pool.run(Task(source, None, kind="check"), seconds=60)

    answer = runner.run(look())
    assert (answer.width, answer.height) == (56, 40)
    assert (answer.format, answer.media_type) == ("jpeg", "image/jpeg")
    assert answer.model == ""
    assert desk.leftovers() == []


def test_jobs_leave_a_worker_to_who_waits(runner, desk, open_pool, tricky):
    async def busy():
        async with open_pool(workers=2) as pool:
            jobs = [
                asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60, wait=True))
                for _ in range(2)
            ]
            await desk.begun()
            # One of the two workers is idle, but not for a job.
            assert pool.room_for_jobs == 0
            answer = await pool.run(desk.flat(9), seconds=60)
            assert pool.running == 1
            desk.go(2)
            await asyncio.gather(*jobs)
            return answer

    assert runner.run(busy()).width == 128


def test_room_for_jobs_is_told(runner, desk, open_pool, tricky):
    async def busy():
        async with open_pool() as pool:
            told = asyncio.Event()
            pool.tell_room(told.set)
            assert pool.room_for_jobs == 1
            picture = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            assert pool.room_for_jobs == 0
            assert not told.is_set()
            desk.go()
            await picture
            await told.wait()
            assert pool.room_for_jobs == 1
        assert pool.room_for_jobs == 0

    runner.run(busy())


def test_the_deadline_counts_waiting(runner, desk, open_pool, tricky):
    async def waiting():
        async with open_pool() as pool:
            first = asyncio.create_task(pool.run(desk.flat(tricky.HELD), seconds=60))
            await desk.begun()
            with pytest.raises(DeadlinePassed, match=r"0\.01 s"):
                await pool.run(desk.flat(9), seconds=0.01)
            assert pool.waiting == 0
            desk.go()
            await first
            return pool.restarts

    assert sum(runner.run(waiting()).values()) == 0


def test_before_the_start_there_is_nobody(runner, desk, tmp_path):
    from hyperfocal.server.pool import Pool
    from hyperfocal.server.settings import ServerSettings

    async def early():
        pool = Pool(ServerSettings(data=tmp_path, models=("bicubic-x2",)))
        assert not pool.ready
        assert pool.version == ""
        with pytest.raises(Draining):
            await pool.run(desk.flat(9), seconds=1)

    runner.run(early())


def test_a_model_that_is_not_there_stops_the_start(runner, desk, open_pool):
    async def start():
        async with open_pool(models=("bicubic-x2", "no-such-model"), workers=2):
            pass

    with pytest.raises(ModelMissing, match="no-such-model"):
        runner.run(start())


def test_an_alias_is_what_it_was_when_the_models_were_loaded(
    runner, desk, open_pool, tmp_path, monkeypatch
):
    monkeypatch.setenv("HYPERFOCAL_MODELS", str(tmp_path / "models"))
    models.set_alias("other", "bicubic-x3")

    async def asked():
        async with open_pool() as pool:

            async def model_of(name):
                return (await pool.run(desk.flat(9, model=name), seconds=60)).model

            # Workers that are asked first after it moved give the same as those that remember.
            models.set_alias("other", "bicubic-x4")
            found = [await model_of("other")]
            with pytest.raises(ModelMissing):
                await pool.reload(("no-such-model",))
            found.append(await model_of("other"))
            await pool.reload(("bicubic-x2",))
            found.append(await model_of("other"))
            # What the service holds comes before what the alias stands for.
            pool.chosen = {"other": "bicubic-x2"}
            found.append(await model_of("other"))
            models.set_alias("new", "bicubic-x3")
            return [*found, await model_of("new")]

    found = runner.run(asked())
    assert found == ["bicubic-x3", "bicubic-x3", "bicubic-x4", "bicubic-x2", "bicubic-x3"]
