"""Options beyond sense, with a sound picture."""

from __future__ import annotations

from urllib.parse import quote

from cases import Case, family
from pictures import sound

_WRONG = frozenset({404, 406, 413, 422})
_NUMBERS = ("NaN", "inf", "-inf", "1e400", "-1", "0", "0x2", "2,5", "two", "1e9", "\u0662\u0669",
            "2\0", " ", "1" * 400, "9" * 5000, "--2", "true", "[2]")  # fmt: skip


def families():
    """Each option with values that no program would send."""
    yield family("absurd options", _absurd())
    yield family("absurd crops and estimates", _elsewhere())


def _case(query: str, path: str = "/v1/upscale", allows: frozenset[int] = _WRONG) -> Case:
    return Case(f"{path}?{query[:60]}{len(query)}", sound()["png"], allows, path=f"{path}?{query}")


def _absurd():
    for name in ("scale", "width", "long_edge", "quality", "megapixels"):
        for value in _NUMBERS:
            if (name, value) in (("quality", "0"), ("scale", "\u0662\u0669")):
                continue
            if name in ("width", "long_edge", "quality", "scale", "megapixels") and value == " ":
                continue
            yield _case(f"{name}={quote(value)}")
    for query in (
        "scale=1000000", "scale=8.01", "scale=0.99", "width=1000001", "width=999999&height=999999",
        "height=-5", "long_edge=900000", "megapixels=900000", "megapixels=3", "scale=8&format=png0",
        "quality=101", "quality=1.5", "bit_depth=7", "bit_depth=64", "bit_depth=8.5",
        "bit_depth=16&format=jpeg", "bit_depth=32&format=png", "strip_metadata=perhaps",
        "min_fidelity=-1", "min_fidelity=NaN", "min_fidelity=199", "min_fidelity=1e99",
        "format=exe", "format=../png", "format=" + "p" * 1000, "format=png%00", "format=svg",
        "model=nothing", "model=..%2F..%2Fetc%2Fpasswd", "model=%00", "model=" + "m" * 5000,
        "model=photo-fast-x2%0A", "scale=2&width=9", "width=9&long_edge=9", "megapixels=1&scale=2",
        "scale=2&scale=2", "scale=2&scale=3", "crop=0,0,9,9", "Scale=2", "image=x", "reference=x",
        "unknown=1", "=", "%00=1", "a" * 5000 + "=1", "scale[]=2", "scale[$gt]=2", "%ff%fe=1",
        "model=%ff%fe", "callback=x",
    ):  # fmt: skip
        yield _case(query)
    yield _case("&".join(f"o{n}=1" for n in range(900)))


def _elsewhere():
    for crop in ("1", "1,2,3", "1,2,3,4,5", "0,0,0,0", "-1,0,9,9", "60,40,9,9", "0,0,65,48",
                 "0,0,513,513", "9999999,0,1,1", "99999999,0,1,1", "a,b,c,d", "1e1,0,9,9",
                 "0,0,9,NaN", "\u0661,0,9,9", ",,,", "0;0;9;9", "0,0,9,9,"):  # fmt: skip
        yield _case(f"crop={quote(crop)}", "/v1/preview")
    for query in ("scale=9", "scale=NaN", "width=1000001", "model=nothing", "format=exe", "x=1",
                  "scale=2&long_edge=9", "bit_depth=16&format=webp"):  # fmt: skip
        yield _case(query, "/v1/estimate")
        yield _case(query, "/v1/preview")
        if query not in ("model=nothing", "bit_depth=16&format=webp"):
            yield _case(query, "/v1/jobs", _WRONG | {400})
