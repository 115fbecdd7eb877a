"""The command line: a file a verb.

Nothing here imports numpy, pydantic or an engine before a verb runs: ``--help`` and
``--version`` answer at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    import sys

    from hyperfocal.cli.app import build
    from hyperfocal.cli.streams import usable_streams

    with usable_streams():
        # File names need not be text in any encoding; one that is not must not end in a traceback.
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        build()(prog_name="hyperfocal")
