"""Jobs: pictures that take longer than a client waits, worked on whether it waits or not."""

from hyperfocal.server.jobs.runner import JobRunner
from hyperfocal.server.jobs.timing import Timing

__all__ = ["JobRunner", "Timing"]
