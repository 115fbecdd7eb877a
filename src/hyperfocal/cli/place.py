"""Where results go, and what they are called."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from hyperfocal import paths
from hyperfocal.cli.choices import read_format
from hyperfocal.cli.depth_maps import DepthMaps
from hyperfocal.cli.find import PIPE, Found
from hyperfocal.errors import OutputError, OutputExists, OutputRefused, UsageError
from hyperfocal.imaging.atomic import check_target
from hyperfocal.imaging.formats import FORMATS, WRITABLE, format_of_suffix

_NO_MAPS = DepthMaps()


@dataclass(frozen=True, slots=True)
class Job:
    """One input and the file its result goes to (None for the pipe), or why it cannot go there.

    ``form``: the result's format; None where only the input's content will tell.
    """

    found: Found
    output: Path | None
    error: OutputError | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """What the ``-o``, ``-f`` and ``--suffix`` options say together.

    ``file``: one file; ``folder``: a folder; neither: beside each input. ``form``: name of the
    format asked for, or None. ``suffix``: comes after the stem.
    """

    file: Path | None = None
    folder: Path | None = None
    pipe: bool = False
    form: str | None = None
    suffix: str = ""


def choose_destination(
    output: str | None, form: str | None, suffix: str | None, *, default_suffix: str, single: bool
) -> Destination:
    """Read the options.

    ``single``: exactly one input and it is no folder. ``output`` is a file when there is one, or
    when it ends in the suffix of a picture format, and otherwise a folder. :class:`UsageError`
    where several results would go into one file, for a format that cannot be written, and for a
    file whose suffix is that of another format.
    """
    form = None if form is None else read_format(form)
    if suffix is not None and any(mark in suffix for mark in ("/", "\\", "\0")):
        raise UsageError(f"--suffix is part of a name and cannot hold '{suffix}'")
    if output == "":
        raise UsageError("-o names nothing; leave it out to put results beside the inputs")
    if output is None:
        return Destination(form=form, suffix=default_suffix if suffix is None else suffix)
    if output == PIPE:
        if not single:
            raise UsageError("only one picture can go to the pipe (-o -)")
        return Destination(pipe=True, form=form)
    path = Path(output)
    is_folder = paths.is_folder(path) or output.endswith(("/", os.sep))
    # What is there already and is no folder is a file, a device perhaps.
    is_folder = is_folder or not (path.suffix or paths.exists(path))
    named = format_of_suffix(path)
    if is_folder or (named is None and not single):
        return Destination(folder=path, form=form, suffix=suffix or "")
    if not single:
        raise UsageError(f"several pictures cannot go to one file; '{output}' must be a folder")
    if suffix is not None:
        raise UsageError("--suffix has no meaning where -o names a file")
    if named is None and form is None:
        raise UsageError(
            f"'{path.suffix}' is the suffix of no format that is written here; "
            f"choose one of {', '.join(FORMATS[name].suffixes[0] for name in WRITABLE)}, "
            "or end the name of a folder with /"
        )
    if form is not None and named is not None and form != named:
        raise UsageError(
            f"-o names a file that ends in '{path.suffix}', and -f says {form}; leave one out"
        )
    read_format(form or named or "")
    return Destination(file=path, form=form)


def place(
    inputs: Iterable[Found], where: Destination, maps: DepthMaps = _NO_MAPS
) -> tuple[Job, ...]:
    """The output of every input.

    A result that would replace an input or a depth map gets an error. Several inputs may have one
    output: which of them it is the result of is known when the first has been restored.
    """
    inputs = tuple(inputs)
    sources = {paths.identity(found.path) for found in inputs if found.path is not None}
    jobs = []
    for found in inputs:
        output = _output(found, where)
        error: OutputError | None = None
        if output is not None and paths.identity(output) in sources:
            error = OutputError(
                f"the result would replace the input {output}; choose another -o or --suffix"
            )
        elif output is not None and maps.holds(output):
            error = OutputError(
                f"the result would replace the depth map {output}; choose another -o or --suffix"
            )
        form = where.form
        if form is None and output is not None:
            form = format_of_suffix(output) or "png"
        jobs.append(Job(found, output, error, form))
    return tuple(jobs)


def is_taken(output: Path) -> bool:
    """Whether something is there that writing would replace, be it a link that leads nowhere."""
    return os.path.lexists(output) and not is_device(output)


def check_free(output: Path) -> None:
    """:class:`OutputExists` where a name is taken."""
    if is_taken(output):
        raise OutputExists(f"{output} exists; use --overwrite or --skip-existing")


def check_writable(output: Path, *, overwrite: bool) -> None:
    """:class:`OutputError` where a result could not be written, as far as that shows before."""
    parent = there = output.parent
    # What leads nowhere is in the way of a folder as a file is.
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    if there == parent:
        check_target(output, overwrite=overwrite)
    elif not paths.is_folder(there):
        raise OutputRefused(f"the folder {parent} cannot be made: {there} is no folder")
    elif not os.access(there, os.W_OK | os.X_OK):
        raise OutputRefused(f"the folder {parent} cannot be made: {there} may not be written to")


def is_device(path: Path) -> bool:
    """Whether it is a device or a named pipe, which is written to and never replaced."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind))


def stem_of(path: PurePath) -> str:
    """The name without the suffix of a format; another one (2024.01.05) is part of the name."""
    return path.stem if format_of_suffix(path) is not None else path.name


def endings(path: PurePath) -> set[str]:
    """The file suffixes that results of an input can have, whatever format is asked for."""
    own = [path.suffix] if format_of_suffix(path) in WRITABLE else []
    return {*own, *(FORMATS[name].suffixes[0] for name in WRITABLE)}


def _output(found: Found, where: Destination) -> Path | None:
    if where.pipe or (found.path is None and where.file is None and where.folder is None):
        return None
    if where.file is not None:
        return where.file
    name = stem_of(found.below) + where.suffix + _ending(found, where.form)
    if where.folder is not None:
        return where.folder / found.below.parent / name
    assert found.path is not None
    return found.path.with_name(name)


def _ending(found: Found, form: str | None) -> str:
    """The result's file suffix: of the format asked for, else the input's own, else PNG's."""
    own = found.below.suffix
    own_format = format_of_suffix(found.below)
    if form is not None:
        return own if own_format == form else FORMATS[form].suffixes[0]
    return own if own_format in WRITABLE else FORMATS["png"].suffixes[0]
