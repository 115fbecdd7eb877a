"""When a challenger is better."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hyperfocal.retrain import Compared, judge


def compared(gain: float, *, new: bool) -> Compared:
    return Compared("suite", new, 5, "int8", 30.0, 32.0, 0.9, 32.0 + gain, 0.9, 3, -0.1)


@pytest.mark.parametrize(
    ("new", "frozen", "better"),
    [(0.05, 0.0, True), (0.05, -0.015, True), (0.05, -0.05, False), (0.01, 0.5, False)],
)
def test_better_gains_on_the_new_and_loses_nowhere(new: float, frozen: float, better: bool) -> None:
    verdict = judge([compared(new, new=True), compared(frozen, new=False)], 0.02, 0.02)
    assert verdict.better is better
    assert len(verdict.reasons) == 2
    assert any("NOT met" in reason for reason in verdict.reasons) is not better


def test_other_weights_must_only_not_lose() -> None:
    new, other = compared(0.05, new=True), compared(0.0, new=True)
    for gain, better in ((0.0, True), (-0.5, False)):
        also = replace(other, precision="float", challenger_psnr=32.0 + gain)
        verdict = judge([new, also], 0.02, 0.02)
        assert verdict.better is better
        assert "float weights" in verdict.reasons[1]
