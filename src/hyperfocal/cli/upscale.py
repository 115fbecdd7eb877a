"""``hyperfocal upscale``: restore pictures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal import paths
from hyperfocal.cli import say, streams
from hyperfocal.cli.choices import (
    DEPTH,
    JSON,
    NO_DEPTH,
    PRECISION,
    RUNTIME,
    THREADS,
    check_bits,
    check_decibels,
    check_depth,
    only_one,
    read_settings,
    read_target,
)
from hyperfocal.cli.find import PIPE, Finding, find, looks_like_picture
from hyperfocal.cli.stopping import terminated_as_interrupt
from hyperfocal.errors import UsageError

if TYPE_CHECKING:
    from hyperfocal.cli.batch import Existing
    from hyperfocal.cli.depth_maps import DepthMaps
    from hyperfocal.cli.place import Destination
    from hyperfocal.restore import Upscaler
    from hyperfocal.settings import Settings


@terminated_as_interrupt()
def upscale(
    inputs: list[str] = typer.Argument(
        ..., metavar="IN...", help="Pictures and folders; '-' is stdin.", show_default=False
    ),
    output: str | None = typer.Option(
        None,
        "-o",
        "--output",
        metavar="OUT",
        help="A picture for one input, or a folder that mirrors the inputs; '-' is stdout. "
        "Left out, results go beside the inputs.",
    ),
    scale: float | None = typer.Option(
        None,
        "-s",
        "--scale",
        metavar="SCALE",
        help="Enlarge 1 to 8 times; left out, by the model's own scale (photo-fast: 2).",
    ),
    size: str | None = typer.Option(
        None, "--size", metavar="WxH", help="Fit into a box of pixels: 1920x1080, 1920x or x1080."
    ),
    long_edge: int | None = typer.Option(
        None, "--long-edge", metavar="N", help="Make the longer side N pixels."
    ),
    megapixels: float | None = typer.Option(
        None, "--megapixels", metavar="N", help="Make the picture N million pixels."
    ),
    model: str = typer.Option(
        "auto",
        "-m",
        "--model",
        metavar="MODEL",
        help="Model, family of models, or a model's card (.toml); auto: photo-fast or, for "
        "damaged pictures, restore-fast; auto-fine: the better, slower ones.",
    ),
    form: str | None = typer.Option(
        None, "-f", "--format", metavar="FORMAT", help="Format of the results, such as png."
    ),
    quality: int | None = typer.Option(
        None, "-q", "--quality", min=0, max=100, help="Quality of lossy formats."
    ),
    bit_depth: int | None = typer.Option(
        None,
        "--bit-depth",
        metavar="BITS",
        help="8, 10, 12, 16 or 32; left out, the input's.",
    ),
    memory: str | None = typer.Option(
        None, "--memory", metavar="BYTES", help="Budget for the whole process, such as 500MB."
    ),
    threads: int | None = THREADS,
    precision: str | None = PRECISION,
    runtime: str | None = RUNTIME,
    recurse: bool = typer.Option(
        False, "-r", "--recursive", help="Look into sub-folders too, linked ones included."
    ),
    skip_existing: bool = typer.Option(
        False, "--skip-existing", help="Leave alone what has been made already."
    ),
    overwrite: bool = typer.Option(False, "--overwrite", help="Replace what is there."),
    suffix: str | None = typer.Option(
        None,
        "--suffix",
        metavar="TEXT",
        help="Comes after the name of each result; left out, '@2x' and the like beside the "
        "inputs and nothing in another folder. Among the pictures of a folder it may not be empty.",
    ),
    strip_metadata: bool = typer.Option(
        False, "--strip-metadata", help="Drop EXIF, XMP and IPTC; keep the colour profile."
    ),
    min_fidelity: float | None = typer.Option(
        None,
        "--min-fidelity",
        metavar="DB",
        help="Fail a picture whose result, reduced again, strays further from the input.",
    ),
    back_project: float | None = typer.Option(
        None,
        "--back-project",
        metavar="DB",
        help="Bend a result that strays further than this back towards the input, as near as "
        "possible.",
    ),
    depth: Path | None = DEPTH,
    no_depth: bool = NO_DEPTH,
    dry_run: bool = typer.Option(
        False,
        "--dry-run",
        help="Show sizes, models and tiles, and make nothing. Where a model is named, only headers "
        "are read, so that damage further on shows only when restoring; auto looks at the pixels.",
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="Say nothing but what failed."),
    verbose: bool = typer.Option(
        False, "-v", "--verbose", help="Tell timings, and why the model was chosen."
    ),
) -> None:
    """Restore pictures to a higher resolution.

    Folders are read with -r all the way down. One bad file does not stop the rest. What an
    earlier call made beside its input, as its name tells, is passed over unless it is named itself.
    """
    only_one(skip_existing=skip_existing, overwrite=overwrite)
    only_one(quiet=quiet, verbose=verbose)
    only_one(depth=depth, no_depth=no_depth)
    from hyperfocal.cli.batch import Work, Writing
    from hyperfocal.cli.depth_maps import DepthMaps
    from hyperfocal.cli.naming import default_suffix, passed_over
    from hyperfocal.cli.outcome import Batch, Failure
    from hyperfocal.cli.place import choose_destination, place
    from hyperfocal.cli.progress import report, watch
    from hyperfocal.restore.memory import LEAST

    target = read_target(scale=scale, size=size, long_edge=long_edge, megapixels=megapixels)
    check_bits(bit_depth)
    check_decibels("--min-fidelity", min_fidelity)
    check_decibels("--back-project", back_project)
    settings = read_settings(memory=memory, threads=threads, precision=precision, runtime=runtime)
    single = len(inputs) == 1 and (inputs[0] == PIPE or not paths.is_folder(Path(inputs[0])))
    maps = DepthMaps(depth, no_depth)
    maps.check(single=single)
    where = choose_destination(
        output, form, suffix, default_suffix=default_suffix(target, model, settings), single=single
    )
    _check_suffix(inputs, where)
    _check_form(where, bit_depth)
    found = _find(inputs, recurse, where, maps)
    if not found.inputs:
        hint = "" if recurse else "; -r looks into sub-folders"
        nothing = UsageError(f"no pictures in {', '.join(inputs)}{hint}")
        if not as_json:
            raise nothing
        say.error(str(nothing))
        say.document(Batch((), found.ignored, 0.0, Failure.of(nothing)).to_dict())
        raise typer.Exit(nothing.exit_code)
    if found.results and not quiet:
        say.line(passed_over(found.results))
    jobs = place(found.inputs, where, maps)
    for form in dict.fromkeys(job.form for job in jobs if job.form is not None):
        check_depth(form, bit_depth)
    _check_pipe(as_json, any(job.output is None for job in jobs), dry_run)
    load = _once_loaded(model, settings)
    if settings.memory < LEAST:
        say.line(
            f"note: a loaded model alone takes about {LEAST // 10**6} MB, so {settings.memory:,} "
            "bytes cannot be kept to; the smallest tiles are taken"
        )
    existing: Existing = "skip" if skip_existing else "overwrite" if overwrite else "refuse"
    work = Work(
        model,
        load,
        settings,
        target,
        Writing(quality, bit_depth, strip_metadata, existing),
        min_fidelity=min_fidelity,
        back_project=back_project,
        depth=maps,
        dry_run=dry_run,
        verbose=verbose,
    )
    with watch(len(jobs), quiet=quiet, verbose=verbose) as watcher:
        batch = work.run(jobs, found.ignored, watcher)
    if as_json:
        say.document(batch.to_dict())
    report(batch, quiet=quiet)
    raise typer.Exit(batch.exit_code)


def _find(inputs: list[str], recurse: bool, where: Destination, maps: DepthMaps) -> Finding:
    if "" in inputs:
        raise UsageError("an input without a name")
    if PIPE in inputs:
        streams.check_in()
    from hyperfocal.cli.naming import result_of_earlier

    beside = where.file is None and where.folder is None and not where.pipe
    return find(
        inputs,
        recurse=recurse,
        is_picture=looks_like_picture,
        leave_out=(*maps.folders, *([] if where.folder is None else [where.folder])),
        # They would otherwise be enlarged once more. In another folder the suffix asked for may
        # be that of photographs here.
        is_result=result_of_earlier(where.suffix if beside else ""),
    )


def _check_suffix(inputs: list[str], where: Destination) -> None:
    """Nothing would tell results from the inputs among which they lie, at the next call."""
    if where.suffix or where.file is not None or where.pipe:
        return
    for folder in (Path(name) for name in inputs if name != PIPE):
        if not paths.is_folder(folder):
            continue
        there = folder
        if where.folder is not None:
            # As the tree of one of several is mirrored.
            there = where.folder / (folder.resolve().name if len(inputs) > 1 else "")
        if paths.identity(there) == paths.identity(folder):
            raise UsageError(
                f"results in {folder} could not be told from the pictures there; give a --suffix, "
                "or name another folder with -o"
            )


def _check_form(where: Destination, bit_depth: int | None) -> None:
    """Of a format that the options name: told once, rather than for every file."""
    from hyperfocal.errors import OutputRefused
    from hyperfocal.imaging.formats import format_of_suffix
    from hyperfocal.imaging.plan import check_fits

    form = where.form or (format_of_suffix(where.file) if where.file is not None else None)
    if form is None:
        return
    check_depth(form, bit_depth)
    try:
        check_fits(form, 1, 1)
    except OutputRefused as error:
        raise UsageError(str(error)) from error


def _check_pipe(as_json: bool, to_pipe: bool, dry_run: bool) -> None:
    """stdout can carry one thing."""
    if not to_pipe or dry_run:
        return
    if as_json:
        raise UsageError("--json and a picture cannot both go to stdout; name a file with -o")
    streams.check_out()
    if sys.stdout.isatty():
        raise UsageError("a picture is not written to a terminal; name a file with -o")


def _once_loaded(model: str, settings: Settings) -> Callable[[], Upscaler]:
    """The upscaler, loaded when first needed: a bad file is told before a model is loaded."""

    @cache
    def load() -> Upscaler:
        from hyperfocal.restore import Upscaler

        return Upscaler.load(model, settings=settings)

    return load
