"""The command line: a file a verb.

Nothing here imports numpy, pydantic or an engine before a verb runs: ``--help`` and
``--version`` answer at once.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line with the arguments of this process, and exit."""
    from hyperfocal.cli.app import build

    build()(prog_name="hyperfocal")
