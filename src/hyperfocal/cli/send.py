"""``hyperfocal send``: have the service restore a folder of pictures."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hyperfocal import paths
from hyperfocal.cli import say
from hyperfocal.cli.choices import (
    DEPTH,
    JSON,
    NO_DEPTH,
    check_bits,
    check_decibels,
    check_depth,
    only_one,
    read_format,
    read_target,
)
from hyperfocal.errors import OutputError, UsageError

if TYPE_CHECKING:
    from hyperfocal.cli.depth_maps import DepthMaps
    from hyperfocal.cli.find import Finding
    from hyperfocal.cli.ledger import Ledger
    from hyperfocal.cli.outcome import Batch
    from hyperfocal.cli.place import Destination

_KEY = "HYPERFOCAL_CLIENT_KEY"


def send(
    source: Path = typer.Argument(
        ..., metavar="DIR", help="Folder of pictures, or one picture.", show_default=False
    ),
    url: str = typer.Option(
        ..., "--url", metavar="URL", help="The service, such as http://127.0.0.1:8000."
    ),
    output_name: str = typer.Option(
        ..., "-o", "--output", metavar="OUT", help="Folder of the results; mirrors DIR."
    ),
    scale: float | None = typer.Option(
        None, "-s", "--scale", metavar="SCALE", help="Enlarge 1 to 8 times."
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
    model: str | None = typer.Option(
        None, "-m", "--model", metavar="MODEL", help="Left out, the service's own choice."
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
    suffix: str = typer.Option(
        "", "--suffix", metavar="TEXT", help="Comes after the name of each result."
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
    depth: Path | None = DEPTH,
    no_depth: bool = NO_DEPTH,
    jobs: int = typer.Option(
        2, "-j", "--jobs", min=1, max=64, metavar="N", help="Pictures under way at once."
    ),
    key_file: Path | None = typer.Option(
        None,
        "--key-file",
        metavar="FILE",
        help=f"File with the API key; left out, the environment's {_KEY}.",
    ),
    timeout: float = typer.Option(
        120.0, "--timeout", metavar="SECONDS", help="Wait so long for an answer."
    ),
    retries: int = typer.Option(
        8,
        "--retries",
        min=0,
        metavar="N",
        help="Try so often again where the service is busy or cannot be reached.",
    ),
    recurse: bool = typer.Option(
        True, "--recursive/--no-recursive", help="Look into sub-folders too, linked ones included."
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Send everything again, and replace what is there."
    ),
    report_file: Path | None = typer.Option(
        None, "--report", metavar="FILE", help="Write what became of each picture, as JSON."
    ),
    as_json: bool = JSON,
    quiet: bool = typer.Option(False, "--quiet", help="Say nothing but what failed."),
    verbose: bool = typer.Option(False, "-v", "--verbose", help="Tell what was converted."),
) -> None:
    """Have a service restore a folder of pictures.

    Started again, it goes on where it was: a picture is sent if it is new, if it has changed, or
    if something else is asked for. A result of a picture from another folder is not replaced
    without --overwrite. One bad picture does not stop the rest. What an earlier call made beside
    its input is passed over unless it is named itself.
    """
    only_one(quiet=quiet, verbose=verbose)
    only_one(depth=depth, no_depth=no_depth)
    from hyperfocal.cli.depth_maps import DepthMaps
    from hyperfocal.cli.ledger import Ledger
    from hyperfocal.cli.naming import passed_over
    from hyperfocal.cli.outcome import Failure
    from hyperfocal.cli.place import Destination, place
    from hyperfocal.cli.progress import report
    from hyperfocal.cli.sending import Sending
    from hyperfocal.cli.sending_told import say_once, telling
    from hyperfocal.client.client import Client
    from hyperfocal.client.retry import Retry
    from hyperfocal.imaging.atomic import check_target

    # What the service would say of every picture is said once.
    target = read_target(scale=scale, size=size, long_edge=long_edge, megapixels=megapixels)
    check_bits(bit_depth)
    check_decibels("--min-fidelity", min_fidelity)
    form = None if form is None else read_format(form)
    if form is not None:
        check_depth(form, bit_depth)
    if any(mark in suffix for mark in ("/", "\\", "\0")):
        raise UsageError(f"--suffix is part of a name and cannot hold '{suffix}'")
    if not output_name:
        # As a path it would be the current folder.
        raise UsageError("-o names nothing; it must name a folder")
    output = Path(output_name)
    where = Destination(folder=output, form=form, suffix=suffix)
    given = {
        "scale": scale,
        "size": target.size,
        "long_edge": long_edge,
        "megapixels": megapixels,
        "model": model,
        "quality": quality,
        "bit_depth": bit_depth,
        "strip_metadata": strip_metadata,
        "min_fidelity": min_fidelity,
    }
    if paths.exists(output) and not paths.is_folder(output):
        raise UsageError(f"-o must name a folder, and {output} is none")
    if report_file is not None:
        check_target(report_file)
    maps = DepthMaps(depth, no_depth)
    maps.check(single=not paths.is_folder(source))
    ledger = Ledger(output)
    found = _find(source, where, ledger, recurse, maps)
    if found.results and not quiet:
        say.line(passed_over(found.results, "sent"))
    retry = Retry(attempts=retries + 1, patience=600.0)
    with (
        Client(
            url,
            _key(key_file),
            timeout=timeout,
            retry=retry,
            on_retry=None if quiet else say_once(),
        ) as client,
        telling(len(found.inputs), quiet=quiet, verbose=verbose) as tell,
    ):
        sending = Sending(client, given, output, ledger, jobs, overwrite, maps)
        batch = sending.run(place(found.inputs, where, maps), found.ignored, tell)
    if report_file is not None:
        try:
            _write(report_file, client.url, batch)
        except OutputError as error:
            # The results are there all the same, and what became of each is still to be told.
            if batch.stopped is None:
                batch = replace(batch, stopped=Failure.of(error))
            else:
                say.error(str(error))
    if as_json:
        say.document(batch.to_dict())
    report(batch, quiet=quiet)
    raise typer.Exit(batch.exit_code)


def _find(
    source: Path, where: Destination, ledger: Ledger, recurse: bool, maps: DepthMaps
) -> Finding:
    from hyperfocal.cli.find import find, looks_like_picture
    from hyperfocal.cli.naming import result_of_earlier

    assert where.folder is not None
    if not paths.exists(source):
        raise UsageError(f"{source} does not exist")
    # In another folder the suffix asked for may be that of photographs here.
    beside = paths.identity(source) == paths.identity(where.folder)
    by_name = result_of_earlier(where.suffix if beside else "")
    noted = {
        paths.identity(where.folder / output)
        for name, output in ledger.made()
        if paths.exists(source / name)
    }
    found = find(
        [str(source)],
        recurse=recurse,
        is_picture=looks_like_picture,
        leave_out=(where.folder, *maps.folders),
        # They would otherwise be enlarged once more.
        is_result=lambda file: paths.identity(file) in noted or by_name(file),
    )
    if not found.inputs:
        raise UsageError(f"no pictures in {source}")
    return found


def _key(file: Path | None) -> str | None:
    """Never an option: everyone on the machine can read those."""
    if file is None:
        return os.environ.get(_KEY) or None
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the API key cannot be read from {file}: {error}") from error


def _write(file: Path, url: str, batch: Batch) -> None:
    from hyperfocal.imaging.atomic import write_file

    document = say.encoded({"url": url, **batch.to_dict()}) + b"\n"
    write_file(file, lambda sink: sink.write(document))
