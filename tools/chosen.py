"""What ``--model auto`` chooses for pictures of many kinds; for docs/degradations.md.

    HYPERFOCAL_DATA=... python tools/chosen.py

The validation pictures, reduced by 2 and then damaged in each of the ways of ``mishaps.py``: PSNR
of luma of what bicubic, the photo model and the restore model make of them, in int8, and of what is
chosen. benchmarks/chosen.json keeps the figures and which weights they are of, ``make docs`` makes
the table.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from gain_net import MODELS, SCALE
from measured import below, earlier, weights
from mishaps import KINDS, reduced
from PIL import Image
from readme_figures import ROOT, markdown

FIGURES = ROOT / "benchmarks" / "chosen.json"


def main() -> None:
    """Measure and keep."""
    from evidence import limits

    found = {"weights": weights(*MODELS), "limits": limits(), "rows": _rows()}
    FIGURES.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(table())


def _rows() -> list[dict[str, Any]]:
    from models_of_commits import psnr_of_each

    from hyperfocal import Upscaler
    from hyperfocal.quality.evidence import judge
    from hyperfocal.training.data import pictures_in, read_rgb
    from hyperfocal.training.degradations import seed_of

    models = [Upscaler.load(name, precision="int8") for name in MODELS]
    files = pictures_in(Path(os.environ["HYPERFOCAL_DATA"]) / "val")
    rows = []
    for name, kind in KINDS.items():
        scores, kinds = [], []
        for file in files:
            hr = read_rgb(file)
            hr = hr[: hr.shape[0] // SCALE * SCALE, : hr.shape[1] // SCALE * SCALE]
            generator = np.random.default_rng(seed_of(f"{file.stem}-{name}"))
            lr = np.asarray(kind.of(reduced(Image.fromarray(hr), SCALE), generator))
            kinds.append(judge(kind.quality, lr)[0])
            scores.append(psnr_of_each(models, SCALE, np.ascontiguousarray(lr), hr))
        psnr = np.array(scores)
        is_restored = np.array([each == "restore" for each in kinds])
        means = (*psnr.mean(axis=0), np.where(is_restored, psnr[:, 2], psnr[:, 1]).mean())
        row = {"kind": name, "pictures": len(files), "restored": int(is_restored.sum())}
        rows.append(row | {"psnr": [round(float(mean), 3) for mean in means]})
    return rows


def table() -> str:
    """The figures as Markdown."""
    from evidence import limits

    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    (count,) = {row["pictures"] for row in found["rows"]}
    rows = [["what happened", "bicubic", *MODELS, "chosen", f"restored, of {count}"]]
    for row in found["rows"]:
        rows.append([row["kind"], *(f"{psnr:.2f}" for psnr in row["psnr"]), str(row["restored"])])
    stale = "" if found["limits"] == limits() else "Judged by other limits than hold now."
    return below(markdown(rows, "-#####"), earlier(found["weights"]), stale)


if __name__ == "__main__":
    main()
