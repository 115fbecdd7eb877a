"""Colour profiles for colour that a file declares by numbers instead of a profile.

ITU-T H.273 (the numbers), ICC.1:2022 (profiles of version 4 with parametric curves), ITU-R BT.2100
(PQ and HLG), BT.2408 (how bright white is in these).
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from hyperfocal.imaging.picture import CodePoints

_D65, _DCI = (0.3127, 0.3290), (0.314, 0.351)
# Number: name, white point, red, green and blue, each as CIE x, y.
_PRIMARIES = {
    1: ("BT.709", _D65, (0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    5: ("BT.601 625", _D65, (0.640, 0.330), (0.290, 0.600), (0.150, 0.060)),
    6: ("BT.601 525", _D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070)),
    9: ("BT.2020", _D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: ("DCI-P3", _DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: ("Display P3", _D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
# Whatever a camera's curve is called, pictures of this kind are made for sRGB's.
_SRGB_CURVE = (1, 2, 6, 13, 14, 15)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18
_CURVES_OF_HDR = {_PQ: "PQ", _HLG: "HLG"}
# Of BT.2408: cd/m2 of white, and of the display that HLG is meant for.
_WHITE, _HLG_PEAK = 203.0, 1000.0
_SAMPLES = 4096
_UNSPECIFIED = 2
SRGB, UNSPECIFIED = (1, 13), (_UNSPECIFIED, _UNSPECIFIED)
# All that ITU-T H.273 gives a meaning to, but for primaries that HEIC's encoder does not take.
_MEANT_PRIMARIES, _MEANT_CURVES = (1, 2, *range(4, 13)), (1, 2, *range(4, 19))
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])

# PNG states chromaticities to five digits, and writers round to three.
_SAME_COLOUR, _SAME_GAMMA = 0.005, 0.1

_Matrix = npt.NDArray[np.float64]
_Point = tuple[float, float]


def is_srgb(points: CodePoints) -> bool:
    """Whether pictures so declared are what pictures without a profile are."""
    return points[0] in (1, _UNSPECIFIED) and points[1] in _SRGB_CURVE


def says_srgb(points: CodePoints) -> bool:
    """Whether sRGB is said, and not merely nothing."""
    return is_srgb(points) and _UNSPECIFIED not in points


def declared(
    points: CodePoints | None, notes: list[str], *, grey: bool = False
) -> tuple[bytes | None, CodePoints | None]:
    """The profile for what a file declares, or that itself where no profile can say the same.

    Neither where sRGB is meant, or, which is noted, where the numbers have no meaning. Of ``grey``
    only the curve counts.
    """
    if points is None or is_srgb(points) or (grey and points[1] in _SRGB_CURVE):
        return None, None
    if points[0] not in _MEANT_PRIMARIES or points[1] not in _MEANT_CURVES:
        notes.append(f"{describe(points)}: no known colour, treated as sRGB")
        return None, None
    made = grey_profile(points[1]) if grey else profile(*points)
    return made, points if made is None else None


def describe(points: CodePoints | None) -> str | None:
    """For people: "BT.2020, PQ"; None of None."""
    if points is None:
        return None
    primaries, transfer = points
    known = _PRIMARIES.get(primaries)
    colours = f"primaries {primaries}" if known is None else known[0]
    return f"{colours}, {_CURVES_OF_HDR.get(transfer, f'transfer {transfer}')}"


def profile(primaries: int, transfer: int) -> bytes | None:
    """An RGB profile that says the same; None for the curves of HDR and rare primaries."""
    known = _PRIMARIES.get(1 if primaries == _UNSPECIFIED else primaries)
    if known is None or transfer not in (*_SRGB_CURVE, *_GAMMAS):
        return None
    name, white, *colours = known
    return _of(name, white, colours, _GAMMAS.get(transfer))


def grey_profile(transfer: int) -> bytes | None:
    """A grey profile that says the same; None for curves that are no mere gamma."""
    gamma = _GAMMAS.get(transfer)
    return None if gamma is None else _grey(gamma)


def shown(points: CodePoints, *, grey: bool = False) -> bytes | None:
    """A profile by which pictures with a curve of HDR look right on a display without.

    What is brighter than the white of BT.2408 becomes white. Programs that know better find the
    code points in it. None for other curves and for rare primaries.
    """
    primaries, transfer = points
    known = _PRIMARIES.get(primaries)
    if known is None or transfer not in _CURVES_OF_HDR:
        return None
    name, white, *colours = known
    name = f"{name}, {_CURVES_OF_HDR[transfer]} without HDR"
    curve = _table(_light(transfer, np.linspace(0.0, 1.0, _SAMPLES)))
    if grey:
        return _file(b"GRAY", name, white, {b"kTRC": curve})
    said = struct.pack(">4sI4B", b"cicp", 0, primaries, transfer, 0, 1)
    return _file(b"RGB ", name, white, {**_colours(white, colours, curve), b"cicp": said})


def _light(transfer: int, signal: _Matrix) -> _Matrix:
    """Of PQ or HLG, BT.2100, tables 4 and 5; white is 1."""
    if transfer == _PQ:
        root = signal ** (1 / 78.84375)
        bright = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light: _Matrix = 10000.0 / _WHITE * bright ** (1 / 0.1593017578125)
        return light
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    # The display's gamma is one of luminance; of each colour by itself it is near enough.
    return _HLG_PEAK / _WHITE * scene**1.2


def of_gamma(gamma: float, *, grey: bool) -> bytes:
    """The profile for a gamma, and the colours of sRGB; ValueError where none can be so."""
    if not 0.1 < gamma < 10:
        raise ValueError("no possible gamma")
    if grey:
        return _grey(gamma)
    name, white, *colours = _PRIMARIES[1]
    return _of(name, white, colours, gamma)


def of_primaries(white: _Point, colours: list[_Point], gamma: float | None) -> bytes | None:
    """The RGB profile for a white point, red, green and blue, each as CIE x, y, and a gamma.

    ``gamma``: None where none is stated, which is taken as sRGB's curve. None where they are
    sRGB's within rounding; ValueError where no colours can be so.
    """
    if min(y for _, y in (white, *colours)) <= 0 or (gamma is not None and not 0.1 < gamma < 10):
        raise ValueError("no possible primaries")
    columns = _adaptation(_xyz(white)) @ _to_xyz(white, colours)
    _, srgb_white, *srgb_colours = _PRIMARIES[1]
    usual = _adaptation(_xyz(srgb_white)) @ _to_xyz(srgb_white, srgb_colours)
    if not np.isfinite(columns).all() or columns[1].min() <= 0:
        raise ValueError("no possible primaries")
    # Pictures for sRGB's curve state a gamma of 2.2, for which it was made.
    is_usual_curve = gamma is None or abs(gamma - 2.2) < _SAME_GAMMA
    if is_usual_curve and np.abs(columns - usual).max() < _SAME_COLOUR:
        return None
    return _of("RGB as declared", white, colours, gamma)


def adobe_rgb() -> bytes:
    """The profile of Adobe RGB (1998), by its published figures."""
    colours = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
    return _of("Compatible with Adobe RGB (1998)", _PRIMARIES[1][1], colours, 563 / 256)


def _grey(gamma: float) -> bytes:
    return _file(b"GRAY", f"Grey, gamma {gamma:.3g}", _D65, {b"kTRC": _curve(gamma)})


def _of(name: str, white: _Point, colours: list[_Point], gamma: float | None) -> bytes:
    """``gamma``: None for sRGB's curve."""
    if gamma is not None:
        name += f", gamma {gamma:.3g}"
    return _file(b"RGB ", name, white, _colours(white, colours, _curve(gamma)))


def _colours(white: _Point, colours: list[_Point], curve: bytes) -> dict[bytes, bytes]:
    """The tags of an RGB profile with one curve."""
    columns = (_adaptation(_xyz(white)) @ _to_xyz(white, colours)).T
    places = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(_colour, columns), strict=True))
    return {**places, **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)}


def _table(light: _Matrix) -> bytes:
    values = np.rint(np.clip(light, 0, 1) * 65535).astype(">u2")
    return struct.pack(">4sII", b"curv", 0, values.size) + values.tobytes()


def _curve(gamma: float | None) -> bytes:
    """``gamma``: None for sRGB's curve."""
    if gamma is not None:
        return struct.pack(">4sIHHi", b"para", 0, 0, 0, _fixed(gamma))
    values = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return struct.pack(">4sIHH5i", b"para", 0, 3, 0, *map(_fixed, values))


def _xyz(point: _Point) -> _Matrix:
    """Of unit luminance."""
    x, y = point
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_xyz(white: _Point, colours: list[_Point]) -> _Matrix:
    """``(3, 3)``: linear RGB to XYZ under its own white."""
    columns = np.stack([_xyz(point) for point in colours], axis=1)
    scaled: _Matrix = columns * np.linalg.solve(columns, _xyz(white))
    return scaled


def _adaptation(white: _Matrix) -> _Matrix:
    """``(3, 3)``: XYZ under ``white`` to XYZ under D50 (ICC.1, annex E)."""
    gains = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    made: _Matrix = np.linalg.inv(_BRADFORD) @ (gains[:, None] * _BRADFORD)
    return made


def _fixed(value: float) -> int:
    """s15Fixed16Number."""
    return round(value * 65536)


def _colour(xyz: _Matrix) -> bytes:
    return struct.pack(">4sI3i", b"XYZ ", 0, *map(_fixed, xyz))


def _text(text: str) -> bytes:
    data = text.encode("utf-16-be")
    return struct.pack(">4sIII4sII", b"mluc", 0, 1, 12, b"enUS", len(data), 28) + data


def _file(space: bytes, name: str, white: _Point, more: dict[bytes, bytes]) -> bytes:
    """Header, table and data; tags with the same data share it."""
    adaptation = _adaptation(_xyz(white)).ravel()
    tags = {
        b"desc": _text(name),
        b"cprt": _text("Public domain"),
        b"wtpt": _colour(_D50),
        b"chad": struct.pack(">4sI9i", b"sf32", 0, *map(_fixed, adaptation)),
        **more,
    }
    table, body, places = b"", b"", dict[bytes, int]()
    start = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        if data not in places:
            places[data] = start + len(body)
            body += data + b"\0" * (-len(data) % 4)
        table += struct.pack(">4sII", tag, places[data], len(data))
    head = struct.pack(
        ">I4sI4s4s4s12s4s28s3i48s",
        start + len(body),
        b"",
        # 4.4 is the first with code points in it.
        0x04400000 if b"cicp" in more else 0x04300000,
        b"mntr",
        space,
        b"XYZ ",
        struct.pack(">6H", 2026, 1, 1, 0, 0, 0),
        b"acsp",
        b"",
        *map(_fixed, _D50),
        b"",
    )
    return head + struct.pack(">I", len(tags)) + table + body
