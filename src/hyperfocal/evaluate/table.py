"""Reports as a table: a model a row, a suite a column."""

from __future__ import annotations

from collections.abc import Sequence

from hyperfocal.evaluate.report import Report

_BICUBIC = "bicubic"


def render(reports: Sequence[Report], *, markdown: bool = True) -> str:
    """Mean PSNR in dB and SSIM of several reports, bicubic first, scales apart.

    Rows are models with their precision, columns suites in the order they come. What was
    measured on part of a suite says on how many pictures. Markdown, or aligned plain text.
    """
    suites = list(dict.fromkeys(_suite(report) for report in reports))
    rows = [["scale", "model", *suites]]
    for scale in sorted({report.scale for report in reports}):
        of_scale = [report for report in reports if report.scale == scale]
        by_suite = {_suite(report): report for report in of_scale}
        rows.append(
            [
                f"x{scale}",
                _BICUBIC,
                *(
                    _cell(by_suite[s].bicubic.psnr, by_suite[s].bicubic.ssim)
                    if s in by_suite
                    else ""
                    for s in suites
                ),
            ]
        )
        models = dict.fromkeys((report.model, report.precision) for report in of_scale)
        for model, precision in models:
            cells = {
                _suite(report): _cell(report.mean.psnr, report.mean.ssim)
                for report in of_scale
                if (report.model, report.precision) == (model, precision)
            }
            rows.append(
                [f"x{scale}", f"{model} ({precision})", *(cells.get(s, "") for s in suites)]
            )
    return _markdown(rows) if markdown else _plain(rows)


def _suite(report: Report) -> str:
    check = report.protocol_check
    return report.suite if check.passed else f"{report.suite} ({len(report.images)})"


def _cell(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} / {ssim:.4f}"


def _markdown(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"


def _plain(rows: list[list[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines) + "\n"
