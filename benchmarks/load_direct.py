"""The engine called directly: what the service is compared with."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor


class Direct:
    """Decode, restore to x2 and encode, in this process, with all its cores.

    Two ways: one picture at a time with all cores, and as many at a time as there are cores with
    one each.
    """

    def __init__(self, model: str, cores: int) -> None:
        from hyperfocal import Upscaler

        self._cores = cores
        self._one = Upscaler.load(model, threads=cores)
        self._each = [Upscaler.load(model, threads=1) for _ in range(cores)]

    def one_at_a_time(self, picture: bytes, form: str, count: int) -> float:
        """Seconds that ``count`` pictures take one after the other."""
        began = time.perf_counter()
        for _ in range(count):
            _restore(self._one, picture, form)
        return time.perf_counter() - began

    def side_by_side(self, picture: bytes, form: str, count: int) -> float:
        """Seconds that ``count`` pictures take in as many threads as there are cores."""
        shares = [len(range(at, count, self._cores)) for at in range(self._cores)]
        began = time.perf_counter()
        with ThreadPoolExecutor(self._cores) as threads:
            done = [
                threads.submit(_repeat, upscaler, picture, form, share)
                for upscaler, share in zip(self._each, shares, strict=True)
            ]
            for one in done:
                one.result()
        return time.perf_counter() - began


def _repeat(upscaler: object, picture: bytes, form: str, count: int) -> None:
    for _ in range(count):
        _restore(upscaler, picture, form)


def _restore(upscaler: object, picture: bytes, form: str) -> bytes:
    from hyperfocal import imaging

    return imaging.encode(upscaler(imaging.open(picture), scale=2).picture, form)
