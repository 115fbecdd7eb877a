"""How fast a model is, and how much memory it takes.

Every row comes from a process of its own, so that its peak memory is that of one model. Beside
each run a fixed matrix product is timed: on a busy machine both become slower, and their ratio
can still be compared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import numpy.typing as npt

from hyperfocal import imaging
from hyperfocal.errors import HyperfocalError, ModelError, UsageError
from hyperfocal.evaluate.engine import load_upscaler, name_of
from hyperfocal.imaging.picture import Picture
from hyperfocal.models.hardware import available_cores
from hyperfocal.quality.resize import imresize
from hyperfocal.settings import Settings

_REFERENCE_SIDE = 768
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One model at one scale; times in milliseconds of wall time.

    ``median``, ``p95``: a picture in memory to a picture in memory, fidelity included; ``net``:
    median of what the model takes of that;
    ``with_png``, ``with_jpeg``: median from the bytes of such a file to the bytes of another;
    ``reference``: median of the product of two fixed matrices, taken between the runs;
    ``peak_mb``: largest resident memory of the process in millions of bytes, None where the
    system does not tell; ``load``: loading the model, with whatever the cache had.
    """

    model: str
    precision: str
    scale: float
    side: int
    threads: int
    runs: int
    load: float
    median: float
    p95: float
    net: float
    with_png: float
    with_jpeg: float
    reference: float
    peak_mb: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain values by name."""
        return asdict(self)


def bench(
    model: str,
    scale: float,
    *,
    side: int = 512,
    runs: int = 20,
    threads: int = 2,
    settings: Settings | None = None,
) -> Row:
    """Measure a model in a process of its own, held to ``threads`` processor cores.

    ``model``: a name, or the file of a card (``.toml``) wherever that lies.
    ``side``: of the square picture; ``runs``: how many of each kind, at least 2; ``threads``: of
    the cores that this process may use, all of them where there are fewer. Raises what loading
    and running the model raises, as :class:`ModelError` or :class:`UsageError`.
    """
    if runs < 2 or side < 1 or threads < 1:
        raise UsageError("a bench needs at least 2 runs, 1 thread and a picture of 1 pixel")
    threads = min(threads, available_cores())
    settings = (settings or Settings.read()).model_copy(update={"threads": threads})
    order = {"model": model, "scale": scale, "side": side, "runs": runs}
    # As ASCII: names of folders may be no text, which pydantic's own JSON does not hold.
    plain = json.dumps(settings.model_dump(mode="json"))
    done = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(order), plain],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        # Libraries read these when they are loaded. One thread for the matrix product: others
        # would still be spinning, waiting for more of it, while the model is timed.
        env={**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise ModelError(f"measuring {model} failed: {done.stderr.strip()[-500:]}") from None
    if "error" in answer:
        kind = UsageError if answer["exit_code"] == UsageError.exit_code else ModelError
        raise kind(answer["error"])
    return Row(**answer)


def photograph(side: int) -> npt.NDArray[np.uint8]:
    """A made-up picture with the spectrum of a photograph: ``(side, side, 3)``, always the same."""
    random = np.random.default_rng(512)
    total = np.zeros((side, side, 3), np.float32)
    cells = 2
    while cells <= side:
        noise = random.standard_normal((cells, cells, 3), dtype=np.float32)
        total += imresize(noise, size=(side, side)).astype(np.float32) * np.float32(2.0 / cells)
        cells *= 2
    total -= total.min()
    return np.asarray(total * (255.0 / max(float(total.max()), 1e-6)), np.uint8)


def measure(model: str, scale: float, side: int, runs: int, settings: Settings) -> Row:
    """Measure in this process."""
    start = time.perf_counter()
    upscaler = load_upscaler(model, settings)
    upscaler.warm(scale)
    load = (time.perf_counter() - start) * 1e3
    picture = Picture(photograph(side))
    files = {name: imaging.encode(picture, name) for name in ("png", "jpeg")}

    nets: list[float] = []

    def in_memory() -> None:
        nets.append(upscaler(picture, scale=scale).timings.model * 1e3)

    def with_file(form: str) -> None:
        result = upscaler(imaging.open(files[form], settings=settings), scale=scale)
        imaging.encode(result.picture, form)

    jobs: dict[str, Callable[[], None]] = {
        "reference": _matrix_product(),
        "memory": in_memory,
        "png": lambda: with_file("png"),
        "jpeg": lambda: with_file("jpeg"),
    }
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(_WARM_UP + runs):
        # In turn, so that what else the machine does falls on all of them alike.
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if turn >= _WARM_UP:
                times[name].append((time.perf_counter() - start) * 1e3)
    return Row(
        model=name_of(model, settings),
        precision=upscaler.precision,
        scale=scale,
        side=side,
        threads=settings.threads,
        runs=runs,
        load=load,
        median=median(times["memory"]),
        p95=quantiles(times["memory"], n=20, method="inclusive")[-1],
        net=median(nets[_WARM_UP:]),
        with_png=median(times["png"]),
        with_jpeg=median(times["jpeg"]),
        reference=median(times["reference"]),
        peak_mb=_peak_mb(),
    )


def _matrix_product() -> Callable[[], None]:
    a = np.full((_REFERENCE_SIDE, _REFERENCE_SIDE), 0.5, np.float32)
    out = np.empty_like(a)

    def multiply() -> None:
        np.matmul(a, a, out=out)

    return multiply


def _peak_mb() -> float | None:
    """Largest resident memory of this process so far."""
    try:
        # Not getrusage: there a child begins with what its parent had.
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return None


def _main(order: str, settings: str) -> None:
    """The measuring process: one JSON object to stdout."""
    given = Settings.model_validate(json.loads(settings))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    try:
        answer = measure(settings=given, **json.loads(order)).to_dict()
    except HyperfocalError as error:
        answer = {"error": str(error), "exit_code": error.exit_code}
    print(json.dumps(answer))


if __name__ == "__main__":
    _main(*sys.argv[1:])
