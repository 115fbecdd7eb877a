"""What is drawn, and how often: many seeded draws against the distributions that are documented."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from hyperfocal.training.degradations import (
    Blur,
    BlurRange,
    Compress,
    Degradations,
    LowLight,
    LowLightRange,
    Noise,
    Recipe,
    Resize,
    Sharpen,
    SharpenRange,
)
from hyperfocal.training.degradations.pipeline import CleanReduction

DRAWS = 20_000
# The draws are seeded, so a test either passes always or never. A right distribution falls below
# this with one seed in a thousand; one whose shares are off by a fifth, with nearly all.
LIKELY = 1e-3


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(11)


def assert_share(found: int, of: int, want: float) -> None:
    """That ``found`` of ``of`` could well have a chance of ``want`` each."""
    assert stats.binomtest(found, of, want).pvalue > LIKELY, f"{found / of:.4f}, not {want}"


def assert_uniform(values: list[float], low: float, high: float) -> None:
    assert min(values) >= low
    assert max(values) <= high
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > LIKELY


def assert_log_uniform(values: list[float], low: float, high: float) -> None:
    # The logarithm of an end, taken back, may be off by its last digit.
    assert min(values) >= low * (1.0 - 1e-12)
    assert max(values) <= high * (1.0 + 1e-12)
    assert stats.kstest(values, stats.loguniform(low, high).cdf).pvalue > LIKELY


def test_low_light_is_drawn_as_often_and_as_dark_as_it_says(
    generator: np.random.Generator,
) -> None:
    ranges = LowLightRange(
        probability=0.3, exposure=(0.1, 0.5), photons=(100.0, 9000.0), read=(1.0, 6.0), gain=(0, 1)
    )
    drawn = [ranges.draw(generator) for _ in range(DRAWS)]
    steps = [step for step in drawn if step is not None]
    assert all(isinstance(step, LowLight) for step in steps)
    assert_share(len(steps), DRAWS, 0.3)
    assert_log_uniform([step.exposure for step in steps], 0.1, 0.5)
    assert_log_uniform([step.photons for step in steps], 100.0, 9000.0)
    assert_uniform([step.read for step in steps], 1.0, 6.0)
    assert_uniform([step.gain for step in steps], 0.0, 1.0)
    # None of them follows from another one.
    table = np.array([[step.exposure, step.photons, step.read, step.gain] for step in steps])
    between = stats.spearmanr(table).pvalue[np.triu_indices(4, 1)]
    assert between.min() > LIKELY


def test_low_light_happens_never_or_always_where_it_is_told_to(
    generator: np.random.Generator,
) -> None:
    assert not any(LowLightRange(probability=0.0).draw(generator) for _ in range(500))
    assert all(LowLightRange(probability=1.0).draw(generator) for _ in range(500))


def test_low_light_by_default_is_rare(generator: np.random.Generator) -> None:
    drawn = [LowLightRange().draw(generator) for _ in range(DRAWS)]
    steps = [step for step in drawn if step is not None]
    assert_share(len(steps), DRAWS, 0.06)
    # What docs/degradations.md says about the electrons at white.
    electrons = [step.photons * step.exposure for step in steps]
    assert min(electrons) >= 150.0
    assert max(electrons) <= 6000.0


def test_sharpening_is_drawn_as_often_and_as_strong_as_it_says(
    generator: np.random.Generator,
) -> None:
    ranges = SharpenRange(probability=0.4, sigma=(0.5, 2.0), amount=(0.1, 3.0))
    drawn = [ranges.draw(generator) for _ in range(DRAWS)]
    steps = [step for step in drawn if step is not None]
    assert_share(len(steps), DRAWS, 0.4)
    assert_uniform([step.sigma for step in steps], 0.5, 2.0)
    assert_log_uniform([step.amount for step in steps], 0.1, 3.0)
    assert stats.spearmanr([(step.sigma, step.amount) for step in steps]).pvalue > LIKELY


def test_sharpening_by_default_is_what_the_documentation_says() -> None:
    usual = Degradations().sharpening
    assert usual == SharpenRange(probability=0.25, sigma=(0.4, 1.2), amount=(0.2, 2.0))


@pytest.mark.parametrize("ranges", [BlurRange(), BlurRange(generalised=0.3, plateau=0.25)])
def test_every_kind_of_kernel_has_its_share(
    ranges: BlurRange, generator: np.random.Generator
) -> None:
    drawn = [ranges.draw(generator, 2.0) for _ in range(DRAWS)]
    blurs = [blur for blur in drawn if blur is not None]
    assert_share(len(blurs), DRAWS, ranges.probability)
    kinds = Counter(blur.kind for blur in blurs)
    assert kinds.keys() == {"gaussian", "generalised", "plateau", "sinc"}
    for kind in ("generalised", "plateau", "sinc"):
        assert_share(kinds[kind], len(blurs), getattr(ranges, kind))


@pytest.mark.parametrize("kind", ["generalised", "plateau"])
def test_kernels_have_the_shapes_and_angles_of_their_kind(
    kind: str, generator: np.random.Generator
) -> None:
    ranges = replace(BlurRange(sinc=0.0, generalised=0.0, plateau=0.0), **{kind: 1.0})
    drawn = [ranges.draw(generator, 2.0) for _ in range(DRAWS)]
    blurs = [blur for blur in drawn if blur is not None]
    assert {blur.kind for blur in blurs} == {kind}
    assert_uniform([blur.shape for blur in blurs], *getattr(ranges, f"shape_{kind}"))
    long = [blur for blur in blurs if blur.ratio < 1.0]
    assert_share(len(long), len(blurs), ranges.anisotropic)
    assert_uniform([blur.ratio for blur in long], *ranges.ratio)
    assert_uniform([blur.angle for blur in long], 0.0, math.pi)


def ends(recipe: Recipe) -> tuple[type, ...]:
    """The kinds of what comes after the last change of size."""
    sized = max(n for n, step in enumerate(recipe.steps) if isinstance(step, Resize))
    return tuple(type(step) for step in recipe.steps[sized + 1 :])


@pytest.fixture
def finals() -> tuple[Degradations, list[Recipe]]:
    """Recipes in which nothing but the last two steps blurs or compresses."""
    never = BlurRange(probability=0.0)
    ranges = Degradations(clean=0.0, second=0.0, blur=never)
    quiet = replace(
        ranges,
        noise=replace(ranges.noise, probability=0.0),
        low_light=replace(ranges.low_light, probability=0.0),
        sharpening=SharpenRange(probability=0.0),
    )
    generator = np.random.default_rng(12)
    return quiet, [quiet.draw(generator, (96, 64), 2) for _ in range(DRAWS)]


def test_a_last_sinc_comes_as_often_as_it_says_on_either_side_of_the_last_compression(
    finals: tuple[Degradations, list[Recipe]],
) -> None:
    ranges, recipes = finals
    sinc, file = ranges.final_sinc.probability, ranges.final_compression.probability
    assert (sinc, file) == (0.15, 0.85), "docs/degradations.md says so"
    found = Counter(ends(recipe) for recipe in recipes)
    want = {
        (): (1 - sinc) * (1 - file),
        (Blur,): sinc * (1 - file),
        (Compress,): (1 - sinc) * file,
        (Blur, Compress): sinc * file / 2,
        (Compress, Blur): sinc * file / 2,
    }
    assert found.keys() == want.keys()
    for order, share in want.items():
        assert_share(found[order], DRAWS, share)


def test_a_last_sinc_is_cut_off_in_the_final_picture_within_its_range(
    finals: tuple[Degradations, list[Recipe]],
) -> None:
    _, recipes = finals
    sincs = [step for recipe in recipes for step in recipe.steps if isinstance(step, Blur)]
    assert {step.kind for step in sincs} == {"sinc"}
    # Shares of the Nyquist frequency, as docs/degradations.md says.
    assert_uniform([step.cutoff / math.pi for step in sincs], 0.65, 1.0)


@pytest.mark.parametrize("second", [0.0, 1.0])
def test_the_last_sinc_is_applied_to_a_picture_of_the_final_size(second: float) -> None:
    generator = np.random.default_rng(13)
    always = replace(Degradations().final_sinc, probability=1.0)
    ranges = Degradations(clean=0.0, second=second, final_sinc=always)
    for _ in range(300):
        recipe = ranges.draw(generator, (96, 64), 2)
        assert Blur in ends(recipe)
        sizes = [step.size for step in recipe.steps if isinstance(step, Resize)]
        assert sizes[-1] == (48, 32)


@pytest.mark.parametrize("second", [0.0, 1.0])
def test_a_picture_of_the_final_size_is_sharpened_before_what_comes_last(second: float) -> None:
    generator = np.random.default_rng(15)
    usual = Degradations(clean=0.0, second=second)
    sinc = replace(usual.final_sinc, probability=1.0)
    file = replace(usual.final_compression, probability=1.0)
    ranges = replace(usual, final_sinc=sinc, final_compression=file)
    ended = []
    for _ in range(2000):
        recipe = ranges.draw(generator, (96, 64), 2)
        sizes = [step.size for step in recipe.steps if isinstance(step, Resize)]
        assert sizes[-1] == (48, 32)
        ended.append(tuple(type(step) for step in recipe.steps[-3:]))
        sharpened = [n for n, step in enumerate(recipe.steps) if isinstance(step, Sharpen)]
        assert sharpened in ([], [len(recipe.steps) - 3])
    found = sum(end[0] is Sharpen for end in ended)
    assert_share(found, len(ended), usual.sharpening.probability)


def test_sharpening_changes_nothing_else_that_happens_to_a_picture() -> None:
    """So that pictures frozen by their names stay comparable but where they are sharpened."""
    never = Degradations(sharpening=SharpenRange(probability=0.0))
    always = Degradations(sharpening=SharpenRange(probability=1.0))
    for seed in range(200):
        one, other = np.random.default_rng(seed), np.random.default_rng(seed)
        without, with_it = never.draw(one, (96, 64), 2), always.draw(other, (96, 64), 2)
        kept = tuple(step for step in with_it.steps if not isinstance(step, Sharpen))
        assert kept == without.steps
        # What their noise is made of.
        assert one.bit_generator.state == other.bit_generator.state


@pytest.mark.parametrize("cutoff", [0.3, 0.65, 0.83, 1.0])
def test_the_kernel_of_a_sinc_is_the_low_pass_of_a_disc(cutoff: float) -> None:
    kernel = Blur("sinc", 0.0, cutoff=cutoff * math.pi).kernel()
    assert kernel.shape == (21, 21)
    y, x = np.mgrid[-10:11, -10:11]
    r = np.hypot(x, y)
    r[10, 10] = 1e-6  # the limit at the centre, by the same formula
    want = cutoff * special.j1(cutoff * math.pi * r) / (2.0 * r)
    np.testing.assert_allclose(kernel, want / want.sum(), atol=1e-7)


# So large that no factor but 1 gives the final size when it is rounded.
LOW = (4_000_000, 2_000_000)
SCALE = 2
KINDS = {Blur: "b", LowLight: "l", Noise: "n", Compress: "c", CleanReduction: "x"}
ORDER = re.compile(
    "(?P<blur>b)?((?P<resize>r)|(?P<only>f))(?P<low_light>l)?(?P<noise>n)?"
    "((?P<compression>c)(?P<blur_again>b)?(?P<resize_again>r)?(?P<noise_again>n)?)?(?P<last>f)?"
)
Rounds = dict[str, Any]


def rounds(recipe: Recipe) -> Rounds:
    """Its steps by what they were drawn from; those to the final size are ``only`` and ``last``."""
    letters = "".join(
        ("f" if step.size == LOW else "r") if isinstance(step, Resize) else KINDS[type(step)]
        for step in recipe.steps
    )
    found = ORDER.fullmatch(letters)
    assert found is not None, letters
    return {name: recipe.steps[found.start(name)] for name in found.groupdict() if found[name]}


@pytest.fixture(scope="module")
def ranges() -> Degradations:
    """The usual ones, but that a second round always begins with a file, and nothing comes last."""
    usual = Degradations(clean=0.0)
    return replace(
        usual,
        compression=replace(usual.compression, probability=1.0),
        sharpening=SharpenRange(probability=0.0),
        final_sinc=replace(usual.final_sinc, probability=0.0),
        final_compression=replace(usual.final_compression, probability=0.0),
    )


@pytest.fixture(scope="module")
def drawn(ranges: Degradations) -> list[Rounds]:
    generator = np.random.default_rng(14)
    size = LOW[0] * SCALE, LOW[1] * SCALE
    return [rounds(ranges.draw(generator, size, SCALE)) for _ in range(DRAWS)]


def pixel(steps: Rounds) -> float:
    """How many pixels there are to one of the final picture, a side, in the second round."""
    return steps["resize"].size[0] / LOW[0] if "resize" in steps else 1.0


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("name", ["blur", "resize", "low_light", "noise"])
def test_steps_of_the_first_round_come_as_often_as_they_say(
    name: str, twice: bool, ranges: Degradations, drawn: list[Rounds]
) -> None:
    some = [steps for steps in drawn if ("compression" in steps) == twice]
    assert_share(sum(name in steps for steps in some), len(some), getattr(ranges, name).probability)


@pytest.mark.parametrize("name", ["blur_again", "resize_again", "noise_again"])
def test_steps_of_the_second_round_come_as_often_as_they_say(
    name: str, ranges: Degradations, drawn: list[Rounds]
) -> None:
    twice = [steps for steps in drawn if "compression" in steps]
    assert_share(len(twice), DRAWS, ranges.second)
    found = sum(name in steps for steps in twice)
    assert_share(found, len(twice), getattr(ranges, name).probability)


def test_one_more_resize_is_made_where_the_size_is_not_yet_the_final_one(
    drawn: list[Rounds],
) -> None:
    for steps in drawn:
        assert ("last" in steps) == ("resize" in steps or "resize_again" in steps)


@pytest.mark.parametrize("name", ["noise", "noise_again"])
def test_noise_is_as_strong_as_its_round_says(
    name: str, ranges: Degradations, drawn: list[Rounds]
) -> None:
    of, noises = getattr(ranges, name), [steps[name] for steps in drawn if name in steps]
    assert_log_uniform([noise.level for noise in noises], *of.level)
    assert_share(sum(noise.kind == "poisson" for noise in noises), len(noises), of.poisson)
    assert_share(sum(noise.grey for noise in noises), len(noises), of.grey)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("name", ["resize", "resize_again"])
def test_sizes_in_between_are_multiples_of_the_final_one(
    name: str, side: int, ranges: Degradations, drawn: list[Rounds]
) -> None:
    factors = [steps[name].size[side] / LOW[side] for steps in drawn if name in steps]
    assert_log_uniform(factors, *getattr(ranges, name).factor)


@pytest.mark.parametrize("name", ["blur", "blur_again"])
def test_blurs_are_as_wide_as_their_round_says_in_pixels_of_the_final_picture(
    name: str, ranges: Degradations, drawn: list[Rounds]
) -> None:
    of = getattr(ranges, name)
    pairs = [
        (steps[name], SCALE if name == "blur" else pixel(steps)) for steps in drawn if name in steps
    ]
    sincs = [(blur, fine) for blur, fine in pairs if blur.kind == "sinc"]
    assert_share(len(sincs), len(pairs), of.sinc)
    assert_uniform([blur.sigma / fine for blur, fine in pairs if blur.kind != "sinc"], *of.sigma)
    # No ringing is finer than the pixels that there are.
    cutoffs = [blur.cutoff / math.pi * max(fine, 1.0) for blur, fine in sincs]
    assert_uniform(cutoffs, *of.cutoff)


@pytest.mark.parametrize(("fine", "times"), [(0.5, 1.0), (1.0, 1.0), (2.0, 2.0), (4.0, 4.0)])
def test_a_sinc_is_cut_off_below_what_the_final_picture_can_show(
    fine: float, times: float, generator: np.random.Generator
) -> None:
    ranges = BlurRange(probability=1.0, generalised=0.0, plateau=0.0, sinc=1.0)
    blurs = [ranges.draw(generator, fine) for _ in range(DRAWS)]
    assert_uniform([blur.cutoff / math.pi * times for blur in blurs if blur], *ranges.cutoff)


def test_filters_are_as_likely_as_each_other_and_few_are_aliased(
    ranges: Degradations, drawn: list[Rounds]
) -> None:
    smaller, larger = [], []
    for steps in drawn:
        height = LOW[0] * SCALE
        for name in ("resize", "only", "resize_again", "last"):
            if name in steps:
                to = smaller if steps[name].size[0] <= height else larger
                to.append(steps[name])
                height = steps[name].size[0]
    for resizes, filters in (
        (smaller, ("area", "bilinear", "bicubic")),
        (larger, ("bilinear", "bicubic")),
    ):
        found = Counter(resize.filter for resize in resizes)
        assert found.keys() == set(filters)
        for name in filters:
            assert_share(found[name], len(resizes), 1 / len(filters))
            aliased = sum(not one.antialias for one in resizes if one.filter == name)
            # The mean of an area has nothing to leave out.
            assert_share(aliased, found[name], 0.0 if name == "area" else ranges.resize.aliased)
