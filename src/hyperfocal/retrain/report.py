"""What a retraining came to: figures, verdict, reasons; as JSON and to be read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, fmean, stdev

from hyperfocal.evaluate.report import Report
from hyperfocal.imaging.atomic import write_file
from hyperfocal.retrain.data import HELD_BACK_SHARE, MOST_HELD_BACK
from hyperfocal.text import encodable

NEW = "new pictures, held back"
JSON, MARKDOWN = "report.json", "report.md"

CEILING = 50.0
"""No picture's PSNR counts for more in a verdict, dB. There the error is 0.8 of a grey level (root
mean square), and what is beyond is a matter of rounding: a plain area that comes out exactly would
outweigh what dozens of photographs lose."""

SSIM_TOLERANCE = 0.001
"""Largest fall of the mean SSIM on a frozen suite. PSNR can rise while texture is smoothed away,
which SSIM sees; retrainings that keep it differ by a few ten-thousandths."""

# What is less than this does not show in a figure of four digits.
_SEEN = 5e-5


@dataclass(frozen=True, slots=True)
class Compared:
    """Champion and challenger on the same pictures. PSNR in dB and SSIM are means of luma.

    No picture's PSNR counts for more than :data:`CEILING`. ``new``: whether these are the new
    pictures held back, or else a frozen suite. ``originals``: of how many originals the pictures
    are; those of one count as one, by their mean: as so many they would make a gain look surer
    than it is. ``better``, ``worse``: on how many originals the challenger has the higher or lower
    PSNR; ``worst``: its smallest gain, dB; ``spread``: standard deviation of its gains, dB, 0 for a
    single original. ``lineage``: the highest mean PSNR of a model that the champion comes from, dB,
    where one is known.
    """

    suite: str
    new: bool
    images: int
    originals: int
    precision: str
    bicubic_psnr: float
    champion_psnr: float
    champion_ssim: float
    challenger_psnr: float
    challenger_ssim: float
    better: int
    worse: int
    worst: float
    spread: float
    lineage: float | None = None

    @classmethod
    def of(
        cls,
        champion: Report,
        challenger: Report,
        *,
        new: bool,
        lineage: float | None = None,
        original_of: Mapping[str, str] | None = None,
    ) -> Compared:
        """From the reports of both on one suite.

        ``original_of``: the original of each picture by its name; left out, all are of their own.
        """
        originals = [(original_of or {}).get(image.name, image.name) for image in champion.images]

        def by_original(figures: Iterable[float]) -> list[float]:
            found: dict[str, list[float]] = {}
            for original, figure in zip(originals, figures, strict=True):
                found.setdefault(original, []).append(figure)
            return [fmean(of_one) for of_one in found.values()]

        ours, theirs = by_original(counted(champion)), by_original(counted(challenger))
        gains = [after - before for before, after in zip(ours, theirs, strict=True)]
        return cls(
            suite=NEW if new else champion.suite,
            new=new,
            images=len(champion.images),
            originals=len(gains),
            precision=champion.precision,
            bicubic_psnr=fmean(by_original(image.bicubic_psnr for image in champion.images)),
            champion_psnr=fmean(ours),
            champion_ssim=fmean(by_original(image.ssim for image in champion.images)),
            challenger_psnr=fmean(theirs),
            challenger_ssim=fmean(by_original(image.ssim for image in challenger.images)),
            better=sum(gain > 0.0 for gain in gains),
            worse=sum(gain < 0.0 for gain in gains),
            worst=min(gains),
            spread=stdev(gains) if len(gains) > 1 else 0.0,
            lineage=lineage,
        )

    @property
    def gain(self) -> float:
        """What the challenger gains in mean PSNR, dB."""
        return self.challenger_psnr - self.champion_psnr

    @property
    def ssim_gain(self) -> float:
        """What the challenger gains in mean SSIM."""
        return self.challenger_ssim - self.champion_ssim

    @property
    def sure(self) -> float | None:
        """The gain on all pictures like these is over this, dB, with a confidence of 90 %.

        See :func:`lower_bound`; None for a single original, which says nothing about others.
        """
        return lower_bound(self.gain, self.spread, self.originals)


def counted(report: Report) -> list[float]:
    """PSNR of each picture as the verdict counts it, dB."""
    return [min(image.psnr, CEILING) for image in report.images]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reasons``: sentences for each suite and precision, and for whatever else decided."""

    better: bool
    reasons: tuple[str, ...]


def judge(compared: Sequence[Compared], margin: float, tolerance: float) -> Verdict:
    """Better means: gains ``margin`` dB on the new pictures, loses over ``tolerance`` nowhere.

    The gain must not be luck, either: on more than half of the new pictures that differ the
    challenger is better, and the lower bound of the gain is above 0 (:func:`lower_bound`). All
    this is asked of the precision that comes first; others must only not lose. On frozen suites a
    loss counts against the champion and against the best of the models that it comes from, and SSIM
    must not fall by more than :data:`SSIM_TOLERANCE`.
    """
    better, reasons = True, []
    for found in compared:
        about = f"{found.suite}, {found.precision} weights"
        told = f"{about}: {found.gain:+.3f} dB over {found.images} pictures{_of_originals(found)}"
        if found.new and found.precision == compared[0].precision:
            asked = f"{told}; at least {margin:+.3f} dB is asked for"
            tests = [(found.gain >= margin, asked), _most(found, about), _sure(found, about)]
        else:
            allowed = f"a loss of up to {tolerance:.3f} dB is allowed"
            tests = [(found.gain >= -tolerance, f"{told}; {allowed}")]
            if found.lineage is not None:
                since = found.challenger_psnr - found.lineage
                text = f"{about}: {since:+.3f} dB against the best of the models it comes from"
                tests.append((since >= -tolerance, f"{text}; {allowed}"))
        if not found.new and found.ssim_gain < -SSIM_TOLERANCE:
            text = f"{about}: {found.ssim_gain:+.4f} in SSIM; a fall of up to {SSIM_TOLERANCE:g}"
            tests.append((False, f"{text} is allowed"))
        for enough, text in tests:
            better = better and enough
            reasons.append(f"{text}: {'met' if enough else 'NOT met'}")
    return Verdict(better, tuple(reasons))


def lost_structure(compared: Sequence[Compared]) -> tuple[str, ...]:
    """Notes for where SSIM falls while PSNR rises: the one does not tell of the other."""
    return tuple(
        f"{found.suite}, {found.precision} weights: SSIM falls, by {-found.ssim_gain:.4f}, while "
        f"PSNR rises, by {found.gain:.3f} dB: look whether fine texture was smoothed away"
        for found in compared
        if found.ssim_gain < -_SEEN and found.gain > 0.0
    )


def _of_originals(found: Compared) -> str:
    """Of how many originals the pictures are, unless each is of its own."""
    return "" if found.originals == found.images else f" of {found.originals} originals"


def _most(found: Compared, about: str) -> tuple[bool, str]:
    differ = found.better + found.worse
    kind = "originals" if _of_originals(found) else "pictures"
    text = f"{about}: better on {found.better} of the {differ} {kind} that differ"
    return 2 * found.better > differ, f"{text}; more than half is asked for"


def _sure(found: Compared, about: str) -> tuple[bool, str]:
    """Whether the gain is more than chance, and what it would take to know where it is not."""
    if found.sure is None:
        return False, f"{about}: a single picture does not tell whether there is a gain"
    told = f"{about}: with a confidence of 90 % the gain is over {found.sure:+.3f} dB"
    text = f"{told}; over 0 is asked for"
    if found.sure > 0.0 or found.gain <= 0.0:
        return found.sure > 0.0, text
    enough = pictures_needed(found.gain, found.spread, found.originals)
    if enough is None or enough > MOST_HELD_BACK:
        beyond = f"{MOST_HELD_BACK} pictures, the most that are held back, would not do either"
        return False, f"{text}; too few pictures to say, and {beyond}"
    more = enough - found.originals
    new = math.ceil(more / HELD_BACK_SHARE)
    return False, (
        f"{text}; too few pictures to say: {more} more like these held back, about {new} more new "
        "pictures, could tell"
    )


def lower_bound(gain: float, spread: float, count: int) -> float | None:
    """Lower end of the one-sided 90 % confidence interval of a mean gain, dB.

    ``gain``, ``spread``: mean and standard deviation of ``count`` differences, each between two
    models on one picture. None for a single one. After Student (W. S. Gosset), "The probable error
    of a mean", Biometrika 6(1), 1908: differences in PSNR between related models are near enough
    to normal, and with few of them a bootstrap would be too sure of itself.
    """
    if count < 2:
        return None
    return gain - _student(count - 1) * spread / math.sqrt(count)


def pictures_needed(gain: float, spread: float, count: int) -> int | None:
    """How many pictures it takes for the lower bound to be above 0, if they go on like these.

    At least one more than ``count``; None where a thousand are too few.
    """
    for more in range(max(count + 1, 2), 1001):
        bound = lower_bound(gain, spread, more)
        if bound is not None and bound > 0.0:
            return more
    return None


def _student(freedom: int) -> float:
    """The 0.9 quantile of Student's t.

    In closed form for one and two degrees of freedom; beyond, to within 0.001, by the expansion
    about the normal quantile: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    if freedom == 1:
        return math.tan(0.4 * math.pi)
    if freedom == 2:
        return 0.8 / math.sqrt(2 * 0.9 * 0.1)
    z, v = NormalDist().inv_cdf(0.9), freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


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
        plain["suites"] = [
            {**asdict(found), "gain": found.gain, "sure": found.sure} for found in self.suites
        ]
        plain["verdict"]["reasons"] = list(self.verdict.reasons)
        return {**plain, "notes": list(self.notes), "files": list(self.files)}

    @classmethod
    def read(cls, path: Path) -> RetrainReport:
        """What :meth:`write` wrote as JSON."""
        plain = json.loads(path.read_text(encoding="utf-8"))
        verdict = Verdict(plain["verdict"]["better"], tuple(plain["verdict"]["reasons"]))
        suites = tuple(
            # Reports of earlier versions take every picture for one of its own original.
            Compared(
                **{
                    "originals": found["images"],
                    **{k: value for k, value in found.items() if k not in ("gain", "sure")},
                }
            )
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
            "| suite | pictures | weights | bicubic | champion | challenger | gain | surely over "
            "| better on | worse on | worst | best before |",
            "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
            *[_row(found) for found in self.suites],
            "",
            f"PSNR in dB / SSIM, of luma; no picture counts for more than {CEILING:g} dB. Both "
            "models as they run on this machine, on the same pictures. Surely over: the lower end "
            "of the gain's 90 % interval. Best before: of the models that the champion comes from.",
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
        f"{found.images}{_of_originals(found)}",
        found.precision,
        f"{found.bicubic_psnr:.2f}",
        f"{found.champion_psnr:.3f} / {found.champion_ssim:.4f}",
        f"{found.challenger_psnr:.3f} / {found.challenger_ssim:.4f}",
        f"{found.gain:+.3f}",
        "" if found.sure is None else f"{found.sure:+.3f}",
        str(found.better),
        str(found.worse),
        f"{found.worst:+.3f}",
        "" if found.lineage is None else f"{found.lineage:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
