"""``python -m hyperfocal`` is ``hyperfocal``."""

from hyperfocal.cli import main

main()
