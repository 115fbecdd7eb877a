"""The engine: a picture in, a larger and better one out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from hyperfocal.depth.defocus import by_depth
from hyperfocal.depth.filters import Plane
from hyperfocal.depth.given import check_belongs, read_map
from hyperfocal.errors import FidelityTooLow, UsageError
from hyperfocal.imaging.picture import Picture
from hyperfocal.kinds import check_kinds
from hyperfocal.models.automatic import AUTOMATIC
from hyperfocal.restore.alpha import bleed
from hyperfocal.restore.auto import choose
from hyperfocal.restore.backproject import back_project as project
from hyperfocal.restore.fidelity import Deviation, measure
from hyperfocal.restore.gate import check_faithful
from hyperfocal.restore.memory import LEAST
from hyperfocal.restore.passes import choose_passes, passes_between
from hyperfocal.restore.progress import Cancel, OnProgress, Progress, check_function
from hyperfocal.restore.resize import resize_plane
from hyperfocal.restore.result import Depth, Result, Stopwatch
from hyperfocal.restore.route import Route, Shape, plan_route
from hyperfocal.restore.samples import Array, Samples, check_finite
from hyperfocal.restore.shelf import DEFAULT_MODEL, Shelf
from hyperfocal.restore.soften import soften
from hyperfocal.restore.target import Target, is_finite_number, shown
from hyperfocal.restore.tiles import Net, run_tiles
from hyperfocal.restore.turns import TURNS
from hyperfocal.settings import Settings


class Upscaler:
    """One model, or a family of models of several scales, ready to restore pictures.

    Holds nothing of the picture it works on, so that any number of threads may share one. One
    that was loaded by name can be pickled: another process loads the same for itself, once.

    ``models``: a loaded model, or several with different native scales to choose from.
    ``restoring``: others, for pictures with signs of damage; see :mod:`hyperfocal.restore.auto`.
    """

    __slots__ = ("_name", "_restoring", "_settings", "_shelf")

    def __init__(
        self,
        models: Net | Iterable[Net] | Shelf,
        settings: Settings | None = None,
        restoring: Shelf | None = None,
    ) -> None:
        check_kinds(settings=(settings, Settings | None))
        self._name: str | None = None
        self._restoring = restoring
        self._shelf = models if isinstance(models, Shelf) else Shelf.of(_nets(models))
        self._settings = settings or Settings.read()

    def __copy__(self) -> Upscaler:
        # It holds nothing of a picture.
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Upscaler:
        return self

    def __reduce__(self) -> tuple[Callable[..., Upscaler], tuple[Any, ...]]:
        if self._name is None:
            raise UsageError(
                "an Upscaler made of models cannot be sent to another process; "
                "make it there, or by Upscaler.load"
            )
        return _kept, (type(self), self._name, self._settings)

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        *,
        settings: Settings | None = None,
        memory: str | int | None = None,
        threads: int | None = None,
        precision: str | None = None,
        runtime: str | None = None,
    ) -> Upscaler:
        """Load a model (``"photo-fast-x2"``), a family (``"photo-fast"``) or ``"auto"``.

        A model may also be named by its card's file (``.toml``), wherever that lies.

        Auto takes photo-fast for clean pictures and restore-fast for those with signs of
        compression, noise, blur or sharpening, each loaded when first needed; ``"auto-fine"``
        takes photo-fine and restore-fine.

        ``memory`` (such as ``"400MB"``, for the whole process), ``threads``, ``precision`` and
        ``runtime`` override the settings; see :class:`Settings`. :class:`ModelMissing`,
        :class:`ModelBroken`, :class:`RuntimeMissing` or :class:`UsageError`.
        """
        name = model_name(model)
        settings = with_changes(
            settings, memory=memory, threads=threads, precision=precision, runtime=runtime
        )
        if (both := AUTOMATIC.get(name)) is not None:
            restoring = Shelf.find(both.restore, settings)
            made = cls(Shelf.find(both.photo, settings), settings, restoring)
        else:
            made = cls(Shelf.at(name, settings), settings)
        made._name = name
        return made

    @property
    def scales(self) -> tuple[int, ...]:
        """Native scales of the models, smallest first."""
        return self._shelf.scales

    @property
    def precision(self) -> str:
        """Of the weights of the model with the smallest native scale: "float" or "int8"."""
        return self._shelf.get(self.scales[0]).precision

    @property
    def settings(self) -> Settings:
        """What it was loaded with."""
        return self._settings

    def plan(self, height: int, width: int, target: Target | None = None) -> tuple[int, int]:
        """``(height, width)`` of the result for a picture of that size, without making it.

        Checks the target as a call would, and raises the same errors.
        """
        for side in (height, width):
            if not isinstance(side, Integral) or isinstance(side, bool) or side < 1:
                raise UsageError(f"a side of a picture is a number of pixels, not {shown(side)}")
        check_kinds(target=(target, Target | None))
        return (target or Target()).resolve(
            height,
            width,
            default=float(self.scales[0]),
            max_pixels=self._settings.max_output_pixels,
        )

    def warm(self, scale: float | None = None) -> None:
        """Load what a call for ``scale`` may need, so that the first one is not slower.

        Of an automatic choice that is both kinds of model.
        """
        wanted = Target(scale).scale or float(self.scales[0])
        for shelf in (self._shelf, self._restoring):
            if shelf is not None:
                for native in choose_passes(wanted, shelf.scales):
                    shelf.get(native)

    def __call__(
        self,
        picture: Picture,
        scale: float | None = None,
        *,
        size: tuple[int | None, int | None] | None = None,
        long_edge: int | None = None,
        megapixels: float | None = None,
        on_progress: OnProgress | None = None,
        cancel: Cancel | None = None,
        on_models: Callable[[tuple[str, ...]], object] | None = None,
        min_fidelity: float | None = None,
        back_project: float | None = None,
        depth: object = None,
    ) -> Result:
        """Restore ``picture`` to a scale from 1 to 8, or to a target size.

        At most one of ``scale``, ``size`` (a box ``(width, height)``), ``long_edge`` and
        ``megapixels``; none means the smallest native scale. The picture's proportions, depth,
        profile and metadata are kept. ``on_progress``: called with tiles done and in all.
        ``cancel``: an event or a function, asked before each tile. ``on_models``: called with the
        names of the models, in their order, before they are given the picture. ``back_project``:
        bend the result towards the input until the consistency is this many dB, or as near as
        possible.
        ``min_fidelity``: the consistency in dB below which there shall be no result. ``depth``: a
        map of how near or far things are, by which a model that sharpens leaves alone what is out
        of focus: a grey picture or array of any size over the same field of view, either way
        round, see :func:`hyperfocal.depth.read_map`; left out, the one in the picture's file, if
        there is one; False for none.

        Calls at one time share the memory of the settings: one that would go beyond it together
        with those at work waits for its turn, and can be cancelled meanwhile.

        Raises :class:`UsageError`, :class:`TooLarge`, :class:`Cancelled`,
        :class:`FidelityTooLow`, :class:`GarbledOutput` or another :class:`ModelError`.
        """
        watch = Stopwatch()
        if not isinstance(picture, Picture):
            raise UsageError(
                f"an Upscaler takes a Picture, not a {type(picture).__name__}; open it first "
                "(hyperfocal.open), or use hyperfocal.upscale, which takes other things, too"
            )
        # A program may have NumPy raise what rounding in float32 does to its smallest numbers.
        with watch.phase("prepare"), np.errstate(all="ignore"):
            target = Target(scale, size, long_edge, megapixels)
            check_function("on_models", on_models)
            for name, bound in (("min_fidelity", min_fidelity), ("back_project", back_project)):
                if bound is not None and not is_finite_number(bound):
                    raise UsageError(f"{name} must be a number of dB, not {shown(bound)}")
            wanted = self.plan(picture.height, picture.width, target)
            depth_map = _depth_map(depth, picture, self._settings)
            shelf, choice = self._shelf, None
            if self._restoring is not None:
                choice = choose(picture)
                shelf = self._restoring if choice.kind == "restore" else shelf
            chain = passes_between((picture.height, picture.width), wanted, shelf.scales)
            nets = [shelf.get(native) for native in chain]
            route = plan_route(
                Shape.of(picture),
                wanted,
                [net.card for net in nets],
                self._settings.memory,
                # The larger need, where the models of a family differ.
                "int8" if all(net.precision == "int8" for net in nets) else "float",
            )
            names = tuple(net.card.name for net in nets)
            told = None
            if depth_map is not None:
                takes_depth = any(net.card.takes_depth for net in nets)
                told = Depth("embedded" if depth is None else "given", takes_depth)
        progress = Progress(route.tiles, on_progress, cancel)
        if on_models is not None:
            on_models(names)
        turn = TURNS.take(route.memory, self._settings.memory - LEAST, progress.check)
        with turn, np.errstate(all="ignore"):
            made, deviation, projections, told = _restore(
                picture, nets, route, progress, watch, back_project, depth_map, told
            )
            fidelity = deviation.fidelity()
        if min_fidelity is not None and fidelity.consistency_db < min_fidelity:
            raise FidelityTooLow(
                f"the result is {fidelity.consistency_db:.1f} dB from the input, and at least "
                f"{min_fidelity:g} dB were asked for (back-projection can raise it)"
            )
        return Result(
            picture=made,
            fidelity=fidelity,
            models=names,
            scale=wanted[1] / picture.width,
            tiles=progress.done,
            timings=watch.timings(),
            projections=projections,
            choice=choice,
            depth=told,
        )


def model_name(model: object) -> str:
    """What a model is loaded by, the same wherever a process goes from here: of a card, the path.

    :class:`UsageError` for what is neither a name nor a path.
    """
    if not isinstance(model, str | Path):
        raise UsageError(f"a model is a name or the path of a card, not {model!r}")
    name = str(model)
    if name.endswith(".toml"):
        # In a folder that has been removed there is no other way to name it.
        with suppress(OSError):
            return str(Path(name).absolute())
    return name


def with_changes(settings: Settings | None, **given: object) -> Settings:
    """``settings``, or those of the environment, with what of ``given`` is not None."""
    check_kinds(settings=(settings, Settings | None))
    changes = {name: value for name, value in given.items() if value is not None}
    if settings is None:
        return Settings.read(None, **changes)
    return Settings.read({}, **{**settings.model_dump(), **changes}) if changes else settings


def _nets(models: object) -> list[Net]:
    nets: list[Any] = list(models) if isinstance(models, Iterable) else [models]
    for net in nets:
        if not (hasattr(net, "card") and hasattr(net, "run")):
            raise UsageError(f"a {type(net).__name__} is no loaded model; see Upscaler.load")
    return nets


def _kept(kind: type[Upscaler], name: str, settings: Settings) -> Upscaler:
    """What a pickled one becomes: a pool unpickles it for every picture, and loads it once."""
    from hyperfocal.restore.kept import KEPT

    return KEPT.get(name, settings, kind)


def _restore(
    picture: Picture,
    nets: Sequence[Net],
    route: Route,
    progress: Progress,
    watch: Stopwatch,
    back_project: float | None,
    depth_map: Plane | None,
    told: Depth | None,
) -> tuple[Picture, Deviation, int, Depth | None]:
    """The result, what it strays from the input, how often it was bent to that, and its focus.

    ``told``: of the map, before anything is known but whether it is used.
    """
    with watch.phase("prepare"):
        colour = np.ascontiguousarray(picture.pixels)
        if picture.alpha is not None:
            check_finite(picture.pixels)
            check_finite(picture.alpha)
            colour = bleed(colour, picture.alpha)
        # Of what is left when hidden colour is gone: that may be of any size.
        samples = Samples.of(colour)
    with watch.phase("model"):
        current: Array = colour
        for net, stage in zip(nets, route.stages, strict=True):
            current = run_tiles(net, current, stage.plan, samples, progress, on_disk=stage.on_disk)
    with watch.phase("resize"):
        if current.shape[:2] != route.size:
            progress.check()
            current = resize_plane(
                current, route.size, limits=samples.limits, on_disk=route.on_disk
            )
        alpha = _enlarge_alpha(picture, route)
    with watch.phase("fidelity"):
        progress.check()
        deviation = measure(current, colour, picture.alpha)
        # First: garbage must not be bent into something likely.
        native = math.prod(net.card.scale for net in nets)
        check_faithful(deviation, current, colour, native, picture.alpha)
    if depth_map is not None and told is not None and told.is_used:
        with watch.phase("depth"):
            defocus = by_depth(colour, depth_map, progress.check)
            if defocus is not None:
                back = soften(
                    current,
                    samples,
                    defocus,
                    (picture.height, picture.width),
                    progress=progress,
                    on_disk=route.difference_on_disk,
                )
                soft = defocus.soft
                told = replace(told, share=soft.share, blur=soft.most, given_back=back)
    with watch.phase("fidelity"):
        if told is not None and told.given_back:
            deviation = measure(current, colour, picture.alpha)
        projections = 0
        if back_project is not None and deviation.decibels < back_project:
            deviation, projections = project(
                current,
                colour,
                samples,
                back_project,
                progress=progress,
                alpha=picture.alpha,
                on_disk=route.difference_on_disk,
                copy_on_disk=route.copy_on_disk,
            )
    # However coarse the JPEG was that the input came from, this does not come from it.
    made = replace(picture, pixels=current, alpha=alpha, jpeg_quality=None)
    return made, deviation, projections, told


def _depth_map(given: object, picture: Picture, settings: Settings) -> Plane | None:
    if given is False:
        return None
    size = picture.height, picture.width
    if given is not None:
        return read_map(given, settings, size=size)
    if picture.depth_map is not None:
        check_belongs(picture.depth_map.shape, *size)
    return picture.depth_map


def _enlarge_alpha(picture: Picture, route: Route) -> Array | None:
    if picture.alpha is None:
        return None
    plane = np.ascontiguousarray(picture.alpha)
    return resize_plane(plane, route.size, on_disk=route.alpha_on_disk)
