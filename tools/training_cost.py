"""Put onto the shipped cards what their weights cost, with the trainings they went on from.

    python tools/training_cost.py

``hyperfocal train export`` tells that by itself, where the start told it. This is for weights that
went on from older ones: every training whose weights shipped has left a card and a file in git's
history, and this follows each model back, from one to the one before.

Which was before is told by ``net.start`` of the experiment on the card, as it was then; where that
names weights that never shipped, or none, by the version of the same model before. Either way the
weights have to confirm it: nets that were trained on from one another are alike, kernel by kernel.
Trainings in between that left nothing in the history cannot be counted, so each total is the least
it can have been (``more_before``).
"""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from hyperfocal.models.card import ModelCard, Training
from hyperfocal.training.cost import Cost, cost_on_card

ROOT = Path(__file__).parent.parent
SHIPPED = PurePosixPath("src/hyperfocal/models/shipped")

# Cosine between kernels. Of versions that went on from one another it was 0.77 and more, of nets
# begun anew, with the same seed even, 0.04 and less.
_ALIKE = 0.4

Kernels = list[npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Leg:
    """A training whose weights shipped: the card, and the commit that brought it.

    ``commit``: "" for files that are not committed yet. ``start``: the experiment's ``net.start``
    then, None where it has none or is not there.
    """

    name: str
    commit: str
    training: Training
    kernels: Kernels
    start: str | None

    @property
    def experiment(self) -> PurePosixPath:
        """The experiment's file."""
        return PurePosixPath(self.training.experiment)

    @property
    def includes_earlier(self) -> bool:
        """Whether the card's figures are those of two trainings together."""
        return ", then " in self.training.experiment


class Repository:
    """The shipped models of a checkout and its history."""

    def __init__(self, root: Path) -> None:
        self.root = root
        if self._git("rev-parse", "--is-shallow-repository").strip() == b"true":
            raise SystemExit("the history is cut off here: git fetch --unshallow")

    def write(self) -> list[str]:
        """Put totals onto the cards; one line of text for each card."""
        told = []
        for path in sorted((self.root / SHIPPED).glob("*.toml")):
            card = ModelCard.read(path)
            weights = card.weights.get("float")
            if weights is None or weights.sha256 not in self.legs:
                continue
            leg = self.legs[weights.sha256]
            cost, chain = self.cost(leg), self.chain(leg)
            totals = {
                "total_steps": cost.steps,
                "total_hours": cost.hours,
                "more_before": not cost.whole,
            }
            training = card.training.model_copy(update=totals)
            card.model_copy(update={"training": training}).write(path)
            names = " < ".join(f"{one.name} {one.commit[:7]}" for one in chain)
            told.append(f"{card.name}: {cost.steps} steps, {cost.hours:g} h: {names}")
        return told

    def chain(self, leg: Leg) -> list[Leg]:
        """The training and those before it, the newest first."""
        found = [leg]
        while (before := self.before(found[-1])) is not None:
            found.append(before)
        return found

    def cost(self, leg: Leg) -> Cost:
        """Of a training and all before it."""
        if leg.training.total_steps:
            return cost_on_card(leg.training)
        own, before = cost_on_card(leg.training), self.before(leg)
        return own if before is None else self.cost(before) + own

    def before(self, leg: Leg) -> Leg | None:
        """The training whose weights this one went on from, unless its figures have both."""
        if leg.includes_earlier:
            return None
        found = self._named(leg) or self._previous(leg)
        if found is not None and likeness(found.kernels, leg.kernels) >= _ALIKE:
            return found
        return None

    def _named(self, leg: Leg) -> Leg | None:
        """What shipped, just before, in the file that the experiment names."""
        path = PurePosixPath(leg.start or "")
        if path.parent.name != SHIPPED.name:
            return None
        file = self._file(f"{leg.commit}^" if leg.commit else "HEAD", SHIPPED / path.name)
        found = None if file is None else self.legs.get(hashlib.sha256(file).hexdigest())
        if found is not None and _run(found.start) == leg.experiment.stem:
            # It went on from the very run that made these weights, which shipped later.
            return self._previous(found)
        return found

    def _previous(self, leg: Leg) -> Leg | None:
        """The version before of the same model."""
        versions = [other for other in self.legs.values() if other.name == leg.name]
        place = versions.index(leg)
        return versions[place - 1] if place else None

    @cached_property
    def legs(self) -> dict[str, Leg]:
        """Of all models that have a file of their own, the oldest first; by the file's sha256."""
        found: dict[str, Leg] = {}
        for file in sorted((self.root / SHIPPED).glob("*.float.onnx")):
            card = SHIPPED / f"{file.name.removesuffix('.float.onnx')}.toml"
            log = self._git("log", "--reverse", "--format=%H", "--", str(card)).decode().split()
            for commit in (*log, ""):
                leg = self._leg(card, commit)
                if leg is not None:
                    # The commit that brought the weights has the experiment they came from.
                    found.setdefault(*leg)
        return found

    def _leg(self, path: PurePosixPath, commit: str) -> tuple[str, Leg] | None:
        card = self._table(commit, path)
        weights = card["weights"]["float"]
        file = self._file(commit, SHIPPED / weights["file"])
        if file is None or hashlib.sha256(file).hexdigest() != weights["sha256"]:
            return None
        training = Training.model_validate(card["training"])
        experiment = self._table(commit, PurePosixPath(training.experiment))
        start = experiment.get("net", {}).get("start")
        return weights["sha256"], Leg(card["name"], commit, training, _kernels(file), start)

    def _table(self, commit: str, path: PurePosixPath) -> dict[str, Any]:
        file = self._file(commit, path)
        return {} if file is None else tomllib.loads(file.decode())

    def _file(self, commit: str, path: PurePosixPath) -> bytes | None:
        """A file of a commit, None if it has no such one."""
        if not commit:
            return (self.root / path).read_bytes() if (self.root / path).is_file() else None
        if not self._git("ls-tree", commit, "--", str(path)):
            return None
        return self._git("show", f"{commit}:{path}")

    def _git(self, *words: str) -> bytes:
        return subprocess.run(
            ["git", *words], cwd=self.root, stdout=subprocess.PIPE, check=True
        ).stdout


def likeness(one: Kernels, other: Kernels) -> float:
    """Median cosine of what two nets have in common of their inner kernels; -1 if nothing."""
    cosines = []
    for a, b in zip(one, other, strict=False):
        rows, columns = (min(sides) for sides in zip(a.shape[:2], b.shape[:2], strict=True))
        a, b = a[:rows, :columns], b[:rows, :columns]
        length = np.linalg.norm(a) * np.linalg.norm(b)
        if length > 0.0:
            cosines.append(float((a * b).sum() / length))
    return float(np.median(cosines)) if cosines else -1.0


def _kernels(file: bytes) -> Kernels:
    """The inner kernels of a float ONNX file, without the identity that every net begins with."""
    model = onnx.load_from_string(file)
    weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    found: Kernels = []
    while f"conv{len(found) + 2}.weight" in weights:  # The last one is not an inner one.
        kernel = weights[f"conv{len(found) + 1}.weight"].astype(np.float64)
        both = np.arange(min(kernel.shape[:2]))
        kernel[both, both, kernel.shape[2] // 2, kernel.shape[3] // 2] = 0.0
        found.append(kernel)
    return found


def _run(start: str | None) -> str | None:
    """The folder that a checkpoint lies in, which is named after its experiment."""
    path = PurePosixPath(start or "")
    return path.parent.name if path.suffix == ".ckpt" else None


if __name__ == "__main__":
    for line in Repository(ROOT).write():
        print(line)
