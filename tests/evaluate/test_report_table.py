import dataclasses

import pytest

from hyperfocal.evaluate import evaluate, render


@pytest.fixture
def report(originals):
    return evaluate(originals, "bicubic-x2")


def test_models_are_rows_and_suites_columns(report):
    passed = dataclasses.replace(report.protocol_check, passed=True)
    whole = dataclasses.replace(report, suite="Set5", protocol_check=passed)
    fast = dataclasses.replace(whole, model="fast-x2", precision="int8", scale=2)
    x4 = dataclasses.replace(report, model="fast-x4", scale=4)
    figure = f"{report.mean.psnr:.2f} / {report.mean.ssim:.4f}"
    cubic = f"{report.bicubic.psnr:.2f} / {report.bicubic.ssim:.4f}"
    assert render([whole, fast, x4]).splitlines() == [
        "| scale | model | Set5 | Small (3) |",
        "|---|---|---|---|",
        f"| x2 | bicubic | {cubic} |  |",
        f"| x2 | bicubic-x2 (float) | {figure} |  |",
        f"| x2 | fast-x2 (int8) | {figure} |  |",
        f"| x4 | bicubic |  | {cubic} |",
        f"| x4 | fast-x4 (float) |  | {figure} |",
    ]


def test_plain_text_is_aligned(report):
    lines = render([report], markdown=False).splitlines()
    assert lines[0].split() == ["scale", "model", "Small", "(3)"]
    column = lines[0].index("Small")
    assert all(line[column - 1] == " " and line[column].isdigit() for line in lines[1:])
