"""How long what is known about requests is kept."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import timedelta

from hyperfocal.storage import Storage


@dataclass(frozen=True, slots=True)
class Retention:
    """``requests``: for answers nobody judged; ``verdicts``; ``pictures`` kept with consent."""

    requests: timedelta
    verdicts: timedelta
    pictures: timedelta


def own_names(database: str) -> re.Pattern[str]:
    """Matches the names that :func:`book.keep` gives to pictures of this database, no others."""
    return re.compile(rf"{re.escape(database)}-[0-9a-f]{{32}}\.[a-z0-9]+")


def old_pictures(storage: Storage, database: str, older_than: float) -> list[str]:
    """Names of the pictures that :func:`book.keep` put there ``older_than`` seconds ago or more.

    Only those of this ``database``: what else lies there is another service's, or somebody's.
    """
    own = own_names(database)
    limit = time.time() - older_than
    return [
        entry.name
        for entry in storage.entries()
        if entry.modified < limit and own.fullmatch(entry.name)
    ]
