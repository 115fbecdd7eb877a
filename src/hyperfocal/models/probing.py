"""Finding out about an unknown network by running it: what a card must say of it.

Nothing is read off the graph but its inputs and outputs, because the scale, the multiple and
the receptive radius of a network follow from what it computes, however it is written down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal import forks
from hyperfocal.errors import ModelBroken
from hyperfocal.imaging.guard import is_hosts
from hyperfocal.models.openvino_graph import (
    executed_arithmetic,
    free_sides,
    last_line,
    new_core,
    read_graph,
)
from hyperfocal.quality.resize import imresize

Planes = npt.NDArray[np.float32]

_MULTIPLES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
_SCALES = range(1, 9)
# An influence below this is rounding noise: 1/255 is one step of an 8-bit picture.
_INFLUENCE = 1e-6
# Lengths of the strips the radius is looked for in; a card holds at most 1024 pixels.
_STRIPS = (384, 768, 2304)
_LARGEST_RADIUS = 1024
# Networks that work in cells or windows look farthest from the pixel just inside one; windows
# begin at multiples of a divisor of _GRAIN, shifted ones up to 8 pixels later.
_GRAIN = 192
_PHASES = (1, 5, 9)
# Below this the output has nothing to do with the input (a flat grey reaches about 11 dB).
_LIKENESS_DB = 14.0
# How far a tile may be from the whole picture: a quarter of an 8-bit step.
_SEAM = 0.25 / 255


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; ``arithmetic``: "u8s8" for a graph of quantised weights, or "f32"."""

    scale: int
    input_multiple: int
    receptive_radius: int
    arithmetic: str


def probe(weights: bytes, threads: int) -> Findings:
    """Examine the network in the bytes of an ONNX file; :class:`ModelBroken` says what is wrong."""
    network = _Network(weights, threads)
    smallest, scale = _smallest_multiple(network)
    _check_likeness(network, smallest, scale)
    radius = _radius(network, smallest, scale)
    for multiple in _MULTIPLES:
        if multiple % smallest == 0 and _tiles_match(network, multiple, scale, radius):
            return Findings(scale, multiple, radius, network.arithmetic)
    raise ModelBroken(
        "a tile of a picture does not come out as in the whole picture, at whatever position; "
        "networks that depend on absolute position cannot be used"
    )


class _Refused(Exception):
    """OpenVINO cannot run a network on a picture of that size; why, in a line."""


class _Network:
    """A compiled network: float32 ``(1, 3, H, W)`` to ``(1, 3, sH, sW)``."""

    def __init__(self, weights: bytes, threads: int) -> None:
        graph = read_graph(weights)
        _check_ends(graph)
        self._fixed = fixed_sides(graph)
        try:
            free_sides(graph)
            properties = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
            with forks.held_off():
                self._compiled = new_core().compile_model(graph, "CPU", properties)
                self.arithmetic = executed_arithmetic(self._compiled)
        except RuntimeError as error:
            if is_hosts(error):
                raise
            raise ModelBroken(self._about_size(last_line(error))) from error

    def _about_size(self, reason: str) -> str:
        if self._fixed:
            height, width = self._fixed
            return (
                f"it takes only pictures of {height}x{width}; "
                f"export it with dynamic height and width ({reason})"
            )
        return f"OpenVINO cannot run it: {reason}"

    def __call__(self, planes: Planes) -> Planes:
        """Run; :class:`_Refused` when it cannot take that size."""
        try:
            with forks.held_off():
                made: Planes = np.array(self._compiled(planes)[0])
        except RuntimeError as error:
            if is_hosts(error):
                raise
            raise _Refused(last_line(error)) from error
        return made

    def must(self, planes: Planes) -> Planes:
        """Run where it is known to take that size."""
        try:
            return self(planes)
        except _Refused as error:
            raise ModelBroken(self._about_size(str(error))) from error

    def refusal(self, reason: str) -> ModelBroken:
        """That no size works."""
        return ModelBroken(self._about_size(reason))


def fixed_sides(graph: Any) -> tuple[int, int] | None:
    """Height and width when the file fixes either (0 for the one it does not), else None."""
    height, width = (
        int(side.get_length()) if side.is_static else 0
        for side in list(graph.inputs[0].partial_shape)[2:]
    )
    return (height, width) if height or width else None


def _check_ends(graph: Any) -> None:
    """One picture in, one picture out."""
    for kind, ends in (("input", graph.inputs), ("output", graph.outputs)):
        if len(ends) != 1:
            raise ModelBroken(f"it has {len(ends)} {kind}s; one picture is expected")
        shape, element = ends[0].partial_shape, ends[0].element_type.get_type_name()
        if shape.rank.is_static and len(shape) != 4:
            raise ModelBroken(f"its {kind} is {shape}, not (1, 3, H, W)")
        if element != "f32":
            raise ModelBroken(f"its {kind} is {element}, not float32; export it in float32")
    # An output whose shape is only known after running is checked by running.
    shape = graph.inputs[0].partial_shape
    if shape.rank.is_dynamic:
        raise ModelBroken("the file does not say that its input is (1, 3, H, W)")
    if shape[1].is_dynamic or shape[1].get_length() != 3:
        raise ModelBroken(
            f"its input is {shape}; RGB planes (1, 3, H, W) are expected, three channels second"
        )
    if shape[0].is_static and shape[0].get_length() != 1:
        raise ModelBroken(f"its input is a batch of {shape[0].get_length()}; one is expected")


def _noise(height: int, width: int, seed: int = 0) -> Planes:
    generator = np.random.default_rng(seed)
    return generator.random((1, 3, height, width), dtype=np.float32)


def _smallest_multiple(network: _Network) -> tuple[int, int]:
    """The smallest multiple of sides that works, and the scale."""
    reason = "no size was accepted"
    for multiple in _MULTIPLES:
        # Odd multiples of it, so that a need for twice as much would show.
        units = max(1, 32 // multiple) | 1
        sizes = ((units * multiple, (units + 2) * multiple), ((units + 4) * multiple,) * 2)
        scales = set()
        try:
            for height, width in sizes:
                scales.add(_scale_of(network(_noise(height, width)).shape, height, width))
        except _Refused as error:
            reason = str(error)
            continue
        if len(scales) == 1 and (scale := scales.pop()) in _SCALES:
            return multiple, scale
        reason = "its output is not its input enlarged by one of 1 to 8"
    raise network.refusal(reason)


def _scale_of(shape: tuple[int, ...], height: int, width: int) -> int:
    """By how much a result of ``shape`` is larger, 0 if it is no such picture."""
    scale = shape[-1] // width
    return scale if shape == (1, 3, scale * height, scale * width) else 0


def _check_likeness(network: _Network, multiple: int, scale: int) -> None:
    """The output, reduced, must resemble the input: RGB in [0, 1] on both sides."""
    side = -(-96 // multiple) * multiple
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    channels = (0.2 + 0.6 * x, 0.8 - 0.6 * y, 0.5 + 0.3 * np.sin(6 * (x + y)))
    picture = np.stack(channels, axis=-1).astype(np.float32)
    made = network.must(np.ascontiguousarray(picture.transpose(2, 0, 1))[None])
    if not np.isfinite(made).all():
        raise ModelBroken("it makes NaN or infinity of an ordinary picture")
    back = imresize(made[0].transpose(1, 2, 0), 1 / scale)
    error = float(np.mean((np.asarray(back, dtype=np.float64) - picture) ** 2))
    likeness = -10 * np.log10(max(error, 1e-12))
    if likeness < _LIKENESS_DB:
        raise ModelBroken(
            f"its output, reduced again, is only {likeness:.0f} dB from its input; it is expected "
            "to take and give RGB in [0, 1]"
        )


def _radius(network: _Network, multiple: int, scale: int) -> int:
    """Input pixels across which a change can still be seen, the largest over both axes.

    One half of a noisy strip is replaced; the farthest output pixel of the other half that
    changes tells how far the network looks. That is just what cutting a tile does to it.
    """
    grain = _GRAIN if _GRAIN % multiple == 0 else multiple
    for length in _STRIPS:
        length = -(-length // multiple) * multiple
        middle = length // 2 // grain * grain
        reach = max(_reach(network, length, middle, axis, multiple, scale) for axis in (2, 3))
        # A reach right to the end of the strip means that the strip was too short.
        if reach < middle - max(_PHASES) - multiple and reach <= _LARGEST_RADIUS:
            return reach
    raise ModelBroken(
        f"what it does to a pixel depends on pixels over {_LARGEST_RADIUS} away (as statistics of "
        "the whole picture do), so large pictures could not be cut into tiles"
    )


def _reach(
    network: _Network, length: int, middle: int, axis: int, multiple: int, scale: int
) -> int:
    across = -(-48 // multiple) * multiple
    shape = (length, across) if axis == 2 else (across, length)
    before, other = _noise(*shape, seed=1), _noise(*shape, seed=2)
    made = network.must(before)
    others = tuple(a for a in range(4) if a != axis)
    reach = 0
    for phase in _PHASES:
        for border, kept in (
            (middle + phase, slice(middle + phase, None)),
            (middle - phase, slice(None, middle - phase)),
        ):
            after = other.copy()
            index = (slice(None),) * axis + (kept,)
            after[index] = before[index]
            difference = np.abs(network.must(after) - made).max(axis=others)
            changed = np.flatnonzero(difference > _INFLUENCE) // scale
            if kept.stop is None:
                reach = max(reach, int(changed.max(initial=0)) - (border - 1))
            else:
                reach = max(reach, border - int(changed.min(initial=length)))
    return reach


def _tiles_match(network: _Network, multiple: int, scale: int, radius: int) -> bool:
    """Whether a tile with a halo of ``radius``, cut at ``multiple``, is as in the whole."""
    halo = -(-radius // multiple) * multiple
    # The tile starts at an odd multiple, where an alignment to twice as much would show.
    start = multiple * (-(-16 // multiple) | 1)
    core = multiple * -(-32 // multiple)
    across = -(-48 // multiple) * multiple
    whole = _noise(start + halo + core + multiple, across, seed=3)
    for picture in (whole, np.ascontiguousarray(whole.swapaxes(2, 3))):
        axis = int(np.argmax(picture.shape[2:])) + 2
        index = (slice(None),) * axis
        try:
            full = network(picture)
            tile = network(np.ascontiguousarray(picture[(*index, slice(start, None))]))
        except _Refused:
            return False
        seen = full[(*index, slice((start + halo) * scale, None))]
        made = tile[(*index, slice(halo * scale, None))]
        if np.abs(seen - made).max() > _SEAM:
            return False
    return True
