"""What a retraining came to: figures, verdict, reasons; as JSON and to be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hyperfocal.evaluate.report import Report
from hyperfocal.imaging.atomic import write_file
from hyperfocal.text import encodable

NEW = "new pictures, held back"
JSON, MARKDOWN = "report.json", "report.md"


@dataclass(frozen=True, slots=True)
class Compared:
    """Champion and challenger on the same pictures. PSNR in dB and SSIM are means of luma.

    ``new``: whether these are the new pictures held back, or else a frozen suite. ``better``:
    on how many pictures the challenger has the higher PSNR; ``worst``: its smallest gain, dB.
    """

    suite: str
    new: bool
    images: int
    precision: str
    bicubic_psnr: float
    champion_psnr: float
    champion_ssim: float
    challenger_psnr: float
    challenger_ssim: float
    better: int
    worst: float

    @classmethod
    def of(cls, champion: Report, challenger: Report, *, new: bool) -> Compared:
        """From the reports of both on one suite."""
        gains = [
            theirs.psnr - ours.psnr
            for ours, theirs in zip(champion.images, challenger.images, strict=True)
        ]
        return cls(
            suite=NEW if new else champion.suite,
            new=new,
            images=len(gains),
            precision=champion.precision,
            bicubic_psnr=champion.bicubic.psnr,
            champion_psnr=champion.mean.psnr,
            champion_ssim=champion.mean.ssim,
            challenger_psnr=challenger.mean.psnr,
            challenger_ssim=challenger.mean.ssim,
            better=sum(gain > 0.0 for gain in gains),
            worst=min(gains),
        )

    @property
    def gain(self) -> float:
        """What the challenger gains in mean PSNR, dB."""
        return self.challenger_psnr - self.champion_psnr


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reasons``: one sentence for each suite and precision, and for whatever else decided."""

    better: bool
    reasons: tuple[str, ...]


def judge(compared: Sequence[Compared], margin: float, tolerance: float) -> Verdict:
    """Better means: gains ``margin`` dB on the new pictures, loses over ``tolerance`` nowhere.

    The gain is asked of the precision that comes first; others must only not lose.
    """
    better, reasons = True, []
    for found in compared:
        told = (
            f"{found.suite}, {found.precision} weights: {found.gain:+.3f} dB over "
            f"{found.images} pictures"
        )
        if found.new and found.precision == compared[0].precision:
            enough = found.gain >= margin
            wanted = f"at least {margin:+.3f} dB is asked for"
        else:
            enough = found.gain >= -tolerance
            wanted = f"a loss of up to {tolerance:.3f} dB is allowed"
        better = better and enough
        reasons.append(f"{told}; {wanted}: {'met' if enough else 'NOT met'}")
    return Verdict(better, tuple(reasons))


@dataclass(frozen=True, slots=True)
class RetrainReport:
    """A retraining, whole. ``files``: what was exported; empty where it was refused.

    ``data``: folder, digest, degradation and counts; ``cost``: steps, seconds of training,
    hardware; ``validation``: PSNR in dB over the pictures that chose the checkpoint, by
    precision; ``notes``: what a reader should know besides.
    """

    champion: str
    champion_sha256: str
    challenger: str
    verdict: Verdict
    margin: float
    tolerance: float
    suites: tuple[Compared, ...]
    data: Mapping[str, object]
    cost: Mapping[str, object]
    validation: Mapping[str, float]
    notes: tuple[str, ...]
    files: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values by name, lists and dicts only."""
        plain = asdict(self)
        plain["suites"] = [{**asdict(found), "gain": found.gain} for found in self.suites]
        plain["verdict"]["reasons"] = list(self.verdict.reasons)
        return {**plain, "notes": list(self.notes), "files": list(self.files)}

    @classmethod
    def read(cls, path: Path) -> RetrainReport:
        """What :meth:`write` wrote as JSON."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        verdict = Verdict(plain["verdict"]["better"], tuple(plain["verdict"]["reasons"]))
        suites = tuple(
            Compared(**{name: value for name, value in found.items() if name != "gain"})
            for found in plain["suites"]
        )
        notes, files = tuple(plain["notes"]), tuple(plain["files"])
        told = {"verdict": verdict, "suites": suites, "notes": notes, "files": files}
        return cls(**{**plain, **told})

    def to_markdown(self) -> str:
        """The same, to be read."""
        verdict = "better: exported" if self.verdict.better else "refused: nothing was exported"
        lines = [
            f"# {self.champion} retrained",
            "",
            f"**The challenger is {verdict}.**",
            "",
            *[f"- {reason}" for reason in self.verdict.reasons],
            "",
            "| suite | pictures | weights | bicubic | champion | challenger | gain | better on "
            "| worst |",
            "|---|--:|---|--:|--:|--:|--:|--:|--:|",
            *[_row(found) for found in self.suites],
            "",
            "PSNR in dB / SSIM, of luma. Both models as they run on this machine, on the same "
            "pictures.",
            "",
        ]
        sections: tuple[tuple[str, Mapping[str, object]], ...] = (
            ("Data", self.data),
            ("Training", self.cost),
            ("PSNR on the pictures that chose the checkpoint, dB", self.validation),
        )
        for title, facts in sections:
            if facts:
                lines += [f"## {title}", ""]
                lines += [f"- {name.replace('_', ' ')}: {_plain(v)}" for name, v in facts.items()]
                lines.append("")
        for title, entries in (("Notes", self.notes), ("Files", self.files)):
            if entries:
                lines += [f"## {title}", "", *[f"- {entry}" for entry in entries], ""]
        lines.append(f"Champion: {self.champion}, float weights {self.champion_sha256}")
        return "\n".join(lines) + "\n"

    def write(self, folder: Path) -> None:
        """:data:`MARKDOWN`, and then :data:`JSON`, each whole or not at all."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        _write(folder / MARKDOWN, self.to_markdown())
        _write(folder / JSON, text)


def _write(path: Path, text: str) -> None:
    # The name of a folder, which it tells, need not be text in any encoding.
    data = encodable(text).encode()
    write_file(path, lambda file: file.write(data))


def _row(found: Compared) -> str:
    cells = (
        found.suite,
        str(found.images),
        found.precision,
        f"{found.bicubic_psnr:.2f}",
        f"{found.champion_psnr:.3f} / {found.champion_ssim:.4f}",
        f"{found.challenger_psnr:.3f} / {found.challenger_ssim:.4f}",
        f"{found.gain:+.3f}",
        f"{found.better} of {found.images}",
        f"{found.worst:+.3f}",
    )
    return f"| {' | '.join(cells)} |"


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
