"""The parts that need no process."""

import errno
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hyperfocal import Picture, errors
from hyperfocal.errors import OutputRefused, PairMismatch, TooLarge
from hyperfocal.models.card import ModelCard
from hyperfocal.quality import degrade, scores, ssim
from hyperfocal.restore.forecast import forecast
from hyperfocal.server import errors as server_errors
from hyperfocal.server.errors import SpoolFull, SpoolUnusable, WorkerFailed
from hyperfocal.server.pool import Answer, Options, Task, protocol, scoring, work
from hyperfocal.server.pool.estimate import Rates
from hyperfocal.server.pool.leftovers import sweep, workplace
from hyperfocal.server.pool.sizing import size


@pytest.mark.parametrize(
    ("workers", "threads", "cores", "expected"),
    [
        (0, 0, 1, (1, 1)),
        (0, 0, 2, (2, 1)),
        (0, 0, 4, (4, 1)),
        (0, 0, 8, (4, 2)),
        (0, 0, 64, (16, 4)),
        (0, 2, 8, (4, 2)),
        (0, 3, 2, (1, 3)),
        (3, 0, 8, (3, 2)),
        (4, 0, 2, (4, 1)),
        (2, 3, 4, (2, 3)),
    ],
)
def test_workers_and_threads(workers, threads, cores, expected):
    found = size(workers, threads, tuple(range(cores)), cores)
    assert (found.workers, found.threads) == expected
    assert len(found.cores) == found.workers
    own = [core for cores in found.cores for core in cores]
    # Cores of their own where there are enough, and never two workers on one.
    assert len(own) == len(set(own))
    assert bool(own) == (found.workers > 1 and found.workers * found.threads <= cores)


def test_a_part_of_the_cores_time_is_no_cores_of_ones_own():
    """As in a container with a quota, beside others on the same machine."""
    found = size(0, 0, tuple(range(64)), 4)
    assert (found.workers, found.threads) == (4, 1)
    assert found.cores == ((),) * 4


def test_tasks_and_answers_survive_the_pipe():
    task = Task(
        Path("/in"), None, Options(size=(None, 40), crop=(1, 2, 3, 4)), Path("/ref"), "preview", "r"
    )
    line = protocol.encode({"task": task.to_plain()})
    assert line.count(b"\n") == 1
    assert Task.from_plain(protocol.decode(line)["task"]) == task
    answer = Answer(
        "m", "v", 2, 3, 2.0, "png", "image/png", 9, None, 1.0, 0.5, "reference", {"total": 1.0},
        {"blur": 2.0}, ("a note",),
    )  # fmt: skip
    assert Answer.from_plain(protocol.decode(protocol.encode(answer.to_plain()))) == answer


def test_every_error_comes_back_as_itself():
    found = [*vars(errors).values(), *vars(server_errors).values()]
    kinds = {kind for kind in found if isinstance(kind, type)}
    assert {errors.Cancelled, server_errors.WorkerMemory} < kinds
    for kind in kinds:
        back = protocol.error_from_plain(protocol.error_to_plain(kind("why")))
        assert type(back) is kind
        assert str(back) == "why"
    assert type(protocol.error_from_plain({"class": "SystemExit", "message": ""})) is WorkerFailed


def test_an_error_is_told_without_the_services_paths_and_else_word_for_word(tmp_path):
    # As jobs call their files, and requests their results.
    task = Task(tmp_path / "in", tmp_path / "result", reference=tmp_path / "reference")
    for words in ("the result is not in the setting's limits", "nothing in the reference"):
        assert work.tell(TooLarge(words), task) == words
    assert work.tell(TooLarge(f"{task.source}: cut off"), task) == "the picture: cut off"
    assert work.tell(TooLarge(f"{task.reference}: cut off"), task) == "the reference: cut off"
    assert work.tell(TooLarge(f"{task.output}: cut off"), task) == "the result: cut off"


def test_what_a_library_cannot_write_is_told_without_the_services_paths(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr("hyperfocal.imaging.write._write", refuse)
    task = Task(tmp_path / "in", tmp_path / "out")
    picture = Picture(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(OutputRefused) as error:
        work._save(picture, task.output, "png", Options())
    assert work.tell(error.value, task) == "the result: cannot be written: Cannot allocate memory"


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), SpoolFull),
        (OSError(errno.EROFS, "Read-only file system"), SpoolUnusable),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), OutputRefused),
        (OSError("cannot write mode X"), OutputRefused),
        (None, OutputRefused),
    ],
)
def test_what_cannot_be_written_is_the_services_trouble_where_the_disk_is(
    tmp_path, monkeypatch, cause, kind
):
    def refuse(*_, **__):
        raise OutputRefused("it cannot be written") from cause

    monkeypatch.setattr("hyperfocal.imaging.save", refuse)
    picture = Picture(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(kind):
        work._save(picture, tmp_path / "out", "png", Options())
    with pytest.raises(SpoolUnusable):
        work._save(picture, tmp_path / "no folder" / "out", "png", Options())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", [b"[]\n", b"1\n", b"no json\n", b"\xff\n", b'"text"\n'])
def test_a_line_that_is_no_message(line):
    with pytest.raises(ValueError):
        protocol.decode(line)


@settings(max_examples=25)
@given(st.integers(11, 200), st.integers(11, 40), st.sampled_from([(), (3,)]))
def test_bands_give_the_scores_of_the_whole(height, width, channels):
    rng = np.random.default_rng(height)
    wanted = rng.integers(0, 256, (height, width, *channels), np.uint8)
    made = np.clip(wanted + rng.integers(-9, 10, wanted.shape), 0, 255).astype(np.uint8)
    psnr, similarity = scoring.against_reference(made, wanted)
    expected = scores(made, wanted)
    assert psnr == pytest.approx(expected.psnr)
    assert similarity == pytest.approx(expected.ssim)


def test_a_reference_of_another_size_or_kind():
    with pytest.raises(PairMismatch, match="4x6 pixels and the reference 5x6"):
        scoring.against_reference(np.zeros((6, 4), np.uint8), np.zeros((6, 5), np.uint8))
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    psnr, _ = scoring.against_reference(grey, grey[..., None].repeat(3, 2))
    assert psnr == 100


@pytest.mark.parametrize("shape", [(150, 40), (150, 40, 3), (9, 30), (60, 7, 3)])
def test_what_either_hides_has_no_say_in_the_scores(shape):
    rng = np.random.default_rng(4)
    wanted = rng.integers(0, 256, shape, np.uint8)
    made = np.clip(wanted + rng.integers(-9, 10, shape), 0, 255).astype(np.uint8)
    alphas = [np.full(shape[:2], 255, np.uint8) for _ in range(2)]
    alphas[0][: shape[0] // 2] = 0
    alphas[1][:, : shape[1] // 3] = 0
    hidden = (alphas[0] == 0) | (alphas[1] == 0)
    found = scoring.against_reference(made, wanted, alphas=alphas)
    seen = scoring.against_reference(made[~hidden][None], wanted[~hidden][None])
    assert found[0] == pytest.approx(seen[0])
    for one in (made, wanted):
        one[hidden] = rng.integers(0, 256, one[hidden].shape, np.uint8)
    other = scoring.against_reference(made, wanted, alphas=alphas)
    assert other == pytest.approx(found, abs=1e-2)
    assert other[0] == pytest.approx(found[0])
    assert found[1] < 1


def test_windows_that_see_nothing_are_not_counted():
    rng = np.random.default_rng(5)
    wanted = rng.integers(0, 256, (150, 60), np.uint8)
    made = np.clip(wanted + rng.integers(-60, 61, wanted.shape), 0, 255).astype(np.uint8)
    alpha = np.zeros(wanted.shape, np.uint8)
    alpha[:75] = 255
    made[75:] = wanted[75:] = 0
    # The windows that see one visible row at least, which ten rows of nothing complete.
    part = np.s_[: 75 + 10]
    found = scoring.against_reference(made, wanted, alphas=[alpha])
    assert found[1] == pytest.approx(ssim(made[part], wanted[part]))


def test_where_everything_is_hidden_nothing_differs():
    made, wanted = np.zeros((20, 20), np.uint8), np.full((20, 20), 255, np.uint8)
    assert scoring.against_reference(made, wanted, alphas=[made]) == (100, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(("height", "scale"), [(90, 2), (60, 3), (40, 2.5)])
def test_ssim_against_the_input(dtype, height, scale):
    rng = np.random.default_rng(5)
    full = 1 if dtype == np.float32 else np.iinfo(dtype).max
    output = (rng.random((int(height * scale), int(80 * scale), 3)) * full).astype(dtype)
    input = (rng.random((height, 80, 3)) * full).astype(dtype)
    expected = ssim(degrade(output, input.shape[:2]), input)
    assert scoring.against_input(output, input) == pytest.approx(expected, abs=1e-4)


def test_ssim_against_the_input_is_of_what_it_shows():
    rng = np.random.default_rng(7)
    output = rng.integers(0, 256, (180, 160, 3), np.uint8)
    input = rng.integers(0, 256, (90, 80, 3), np.uint8)
    alpha = np.full((90, 80), 255, np.uint8)
    alpha[:, 40:] = 0
    input[:, 40:] = 9
    found = scoring.against_input(output, input, alpha)
    # Of 40 columns of windows ten look over the border, where both are taken to be alike.
    alone = scoring.against_input(output[:, :80], input[:, :40])
    assert alone < found < alone + 10 / 40
    # Of what lies further away nothing is seen.
    input[:, 55:] = 200
    output[:, 110:] = 3
    assert scoring.against_input(output, input, alpha) == pytest.approx(found, abs=1e-9)
    assert scoring.against_input(output, input, np.zeros_like(alpha)) == 1.0


def test_ssim_of_a_large_picture_is_that_of_its_stretches():
    rng = np.random.default_rng(6)
    output = rng.integers(0, 256, (800, 1400), np.uint8)
    input = rng.integers(0, 256, (400, 700), np.uint8)
    small = degrade(output, (400, 700))
    parts = [
        ssim(small[top : top + 32, 94:606], input[top : top + 32, 94:606]) for top in (0, 184, 368)
    ]
    assert scoring.against_input(output, input) == pytest.approx(np.mean(parts), abs=1e-4)


def test_pictures_smaller_than_the_window():
    assert scoring.against_input(np.full((4, 6), 9, np.uint8), np.full((2, 3), 9, np.uint8)) == 1


def test_sweeping(tmp_path):
    output = tmp_path / "out"
    workplace(output).mkdir()
    (workplace(output) / "result").write_bytes(b"half")
    output.write_bytes(b"whole")
    (tmp_path / "other").write_bytes(b"")
    sweep(output)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
    sweep(output)
    sweep(None)


def test_memory_of_a_forecast_grows_with_the_picture():
    from hyperfocal.imaging import Facts
    from hyperfocal.restore import Target
    from hyperfocal.restore.shelf import Shelf
    from hyperfocal.settings import Settings

    given = Settings(memory=4 * 10**9)
    shelf = Shelf.find("bicubic-x2", given)

    def memory(width, height, bits=8, is_float=False):
        has = (False, None, 1, None, False, False, False)
        facts = Facts("tiff", width, height, 1, "rgb", bits, *has, 9, is_float)
        return forecast(facts, Target(2), shelf, given).memory

    assert memory(2000, 1000) - memory(2000, 500) >= 2000 * 500 * 3 * 5
    # What goes to disk does not count.
    assert memory(20000, 10000) < 20000 * 10000 * 3 * 5
    # Ten and twelve bits are held in two bytes a sample.
    assert memory(500, 400, 8) < memory(500, 400, 10) == memory(500, 400, 12)
    assert memory(500, 400, 12) == memory(500, 400, 16) == memory(500, 400, 32)
    # Floats in four, be they of two in the file.
    assert memory(500, 400, 32) < memory(500, 400, 16, True) == memory(500, 400, 32, True)


def test_a_model_is_timed_on_a_tile_that_it_takes():
    seen = []

    class Net:
        card = ModelCard(name="own-x2", scale=2, input_multiple=6)

        def run(self, tile):
            seen.append(tile.shape)

    rates = Rates()
    rates.try_out(Net())
    assert set(seen) == {(258, 258, 3)}
    assert rates.models["own-x2"] > 0
