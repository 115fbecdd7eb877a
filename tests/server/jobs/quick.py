"""Timing for tests: everything happens soon."""

from hyperfocal.server.jobs import Timing

QUICK = Timing(poll=0.05, beat=0.01, retry=0.01, upkeep=0.05)
