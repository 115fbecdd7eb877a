"""When a challenger is better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hyperfocal.evaluate.protocol import ProtocolCheck
from hyperfocal.evaluate.report import BicubicMean, ImageScore, Report, mean_of
from hyperfocal.models.card import Quality
from hyperfocal.retrain import Compared, RetrainReport, Verdict, judge
from hyperfocal.retrain.lineage import best, best_psnr
from hyperfocal.retrain.report import lost_structure, lower_bound, pictures_needed


def report(psnrs: Sequence[float], suite: str = "suite", bicubic: float = 30.0) -> Report:
    images = tuple(
        ImageScore(str(at), psnr, 0.9, 1.0, 1.0, 1.0, 30.0, 0.9, 1.0)
        for at, psnr in enumerate(psnrs)
    )
    check = ProtocolCheck(None, "")
    means = mean_of(images), BicubicMean(bicubic, 0.9)
    return Report(suite, "model", 2, "int8", "made", check, *means, images)


def between(before: Sequence[float], after: Sequence[float], *, new: bool = True) -> Compared:
    return Compared.of(report(before), report(after), new=new)


def compared(gain: float, *, new: bool) -> Compared:
    return Compared(
        "suite", new, 5, 5, "int8", 30.0, 32.0, 0.9, 32.0 + gain, 0.9, 4, 1, -0.01, spread=0.01
    )


@pytest.mark.parametrize(
    ("new", "frozen", "better"),
    [(0.05, 0.0, True), (0.05, -0.015, True), (0.05, -0.05, False), (0.01, 0.5, False)],
)
def test_better_gains_on_the_new_and_loses_nowhere(new: float, frozen: float, better: bool) -> None:
    verdict = judge([compared(new, new=True), compared(frozen, new=False)], 0.02, 0.02)
    assert verdict.better is better
    assert len(verdict.reasons) == 4
    assert any("NOT met" in reason for reason in verdict.reasons) is not better


@pytest.mark.parametrize(
    ("fall", "better", "notes"), [(0.0, True, 0), (0.0008, True, 1), (0.002, False, 1)]
)
def test_what_loses_structure_is_told_or_refused(fall: float, better: bool, notes: int) -> None:
    new = compared(0.05, new=True)
    frozen = replace(compared(0.01, new=False), challenger_ssim=0.9 - fall)
    verdict = judge([new, frozen], 0.02, 0.02)
    assert verdict.better is better
    told = [reason for reason in verdict.reasons if "in SSIM" in reason]
    assert len(told) == (0 if better else 1)
    assert all("-0.0020 in SSIM" in reason and "NOT met" in reason for reason in told)
    assert len(lost_structure([new, frozen])) == notes
    # Where PSNR falls too there is nothing that the verdict hides.
    assert lost_structure([replace(frozen, challenger_psnr=31.99)]) == ()
    # On the new pictures it is told, too.
    assert len(lost_structure([replace(new, challenger_ssim=0.899)])) == 1


def test_other_weights_must_only_not_lose() -> None:
    new, other = compared(0.05, new=True), compared(0.0, new=True)
    for gain, better in ((0.0, True), (-0.5, False)):
        also = replace(other, precision="float", challenger_psnr=32.0 + gain)
        verdict = judge([new, also], 0.02, 0.02)
        assert verdict.better is better
        assert "float weights" in verdict.reasons[-1]


@pytest.mark.parametrize(
    ("before", "after", "better"), [(67.5, 100.0, False), (100.0, 67.5, True), (49.9, 100.0, False)]
)
def test_one_plain_picture_decides_nothing(before: float, after: float, better: bool) -> None:
    step = 1.0 if better else -1.0
    found = between([before] + [32.0] * 23, [after] + [32.0 + step] * 23)
    assert abs(found.gain - step * 23 / 24) < 0.01
    assert judge([found], 0.02, 0.02).better is better


def test_more_pictures_must_gain_than_lose() -> None:
    found = between([30.0] * 6, [30.5, 30.5, 30.5, 29.99, 29.99, 29.99])
    assert (found.better, found.worse) == (3, 3)
    assert found.sure is not None
    assert found.sure > 0.0
    verdict = judge([found], 0.02, 0.02)
    assert not verdict.better
    assert "better on 3 of the 6 pictures that differ" in verdict.reasons[1]
    # Those that do not differ have no say.
    assert judge([between([30.0] * 8, [30.5] * 5 + [30.0] * 3)], 0.02, 0.02).better


def test_a_gain_that_may_be_luck_is_refused_with_what_it_would_take() -> None:
    verdict = judge([between([30.0, 30.0], [30.5, 29.6])], 0.02, 0.02)
    assert not verdict.better
    assert "too few pictures to say" in verdict.reasons[2]
    assert "24 pictures, the most that are held back, would not do" in verdict.reasons[2]
    verdict = judge([between([30.0] * 3, [30.3, 30.3, 29.9])], 0.02, 0.02)
    assert not verdict.better
    assert "2 more like these held back, about 8 more new pictures" in verdict.reasons[2]
    assert judge([between([30.0] * 2, [30.4, 30.6])], 0.02, 0.02).better
    alone = judge([between([30.0], [31.0])], 0.02, 0.02)
    assert not alone.better
    assert "a single picture" in alone.reasons[2]


def test_parts_of_one_original_count_as_one() -> None:
    before, after = [30.0] * 8, [30.5] * 4 + [29.75] * 2 + [29.8] * 2
    original_of = {str(at): "ab"[at // 4] for at in range(8)}
    found = Compared.of(report(before), report(after), new=True, original_of=original_of)
    assert (found.images, found.originals, found.better, found.worse) == (8, 2, 1, 1)
    assert found.sure == pytest.approx(lower_bound(found.gain, found.spread, 2))
    assert found.worst == pytest.approx(-0.225)
    met, most, sure = judge([found], 0.02, 0.02).reasons
    assert "+0.137 dB over 8 pictures of 2 originals" in met
    assert "better on 1 of the 2 originals that differ" in most
    assert "24 pictures, the most that are held back" in sure


def test_what_changes_nothing_is_seldom_called_better() -> None:
    generator = np.random.default_rng(0)
    for count in (2, 6, 24):
        gains = generator.normal(0.0, 0.08, (400, count))
        promoted = [
            judge([between([30.0] * count, list(30.0 + row))], 0.0, 0.02).better for row in gains
        ]
        assert np.mean(promoted) < 0.14


def test_the_bound_is_students() -> None:
    # As printed in tables.
    quantiles = {1: 3.078, 2: 1.886, 3: 1.638, 4: 1.533, 5: 1.476, 11: 1.363, 23: 1.319, 100: 1.290}
    for freedom, quantile in quantiles.items():
        count = freedom + 1
        expected = 0.1 - quantile * 0.3 / count**0.5
        assert lower_bound(0.1, 0.3, count) == pytest.approx(expected, abs=3e-4)
    assert lower_bound(0.1, 0.3, 1) is None
    needed = pictures_needed(0.1, 0.3, 4)
    assert needed is not None
    bounds = [lower_bound(0.1, 0.3, count) for count in (needed - 1, needed)]
    assert bounds[0] is not None
    assert bounds[1] is not None
    assert bounds[0] <= 0.0 < bounds[1]
    assert pictures_needed(0.0001, 0.3, 4) is None


def test_small_losses_do_not_add_up_over_generations() -> None:
    new = between([30.0] * 4, [31.0] * 4)
    psnr = 32.0
    lineage: tuple[Quality, ...] = ()
    promoted = []
    for _ in range(3):
        champion, challenger = report([psnr] * 3), report([psnr - 0.015] * 3)
        known = best_psnr(lineage, champion)
        frozen = Compared.of(champion, challenger, new=False, lineage=known)
        promoted.append(judge([new, frozen], 0.02, 0.02))
        lineage, psnr = best(lineage, [champion]), psnr - 0.015
    assert [verdict.better for verdict in promoted] == [True, False, False]
    assert "-0.030 dB against the best of the models it comes from" in promoted[1].reasons[-1]
    assert lineage[0].psnr == 32.0


def test_a_suite_that_changed_is_no_measure_of_what_was_lost() -> None:
    lineage = best((), [report([40.0] * 3), report([35.0], "other")])
    assert best_psnr(lineage, report([32.0] * 3)) == 40.0
    for changed in (report([32.0] * 3, bicubic=30.5), report([32.0] * 4), report([32.0] * 3, "x")):
        assert best_psnr(lineage, changed) is None
    after = best(lineage, [report([32.0] * 3, bicubic=30.5)])
    assert {(entry.suite, entry.psnr) for entry in after} == {("suite", 32.0), ("other", 35.0)}


def test_the_report_tells_what_the_verdict_hangs_on(tmp_path: Path) -> None:
    found = between([30.0, 30.0, 60.0], [31.0, 31.2, 100.0])
    single = replace(between([30.0], [31.0], new=False), lineage=33.0)
    verdict = Verdict(True, ("a reason",))
    told = RetrainReport(
        "a", "0", "b", verdict, 0.02, 0.02, (found, single), {}, {}, {}, notes=(), files=()
    )
    told.write(tmp_path)
    assert RetrainReport.read(tmp_path / "report.json") == told
    text = (tmp_path / "report.md").read_text()
    assert f"| {found.gain:+.3f} | {found.sure:+.3f} | 2 | 0 | +0.000 |  |" in text
    assert "| +1.000 |  | 1 | 0 | +1.000 | 33.000 |" in text
