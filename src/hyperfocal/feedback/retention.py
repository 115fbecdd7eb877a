"""How long what is known about requests is kept."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hyperfocal.feedback import book
from hyperfocal.feedback.records import Deleted
from hyperfocal.storage import Storage

# As book.keep names pictures. Whatever else somebody has in the folder is not ours to remove.
_OWN = re.compile(r"[0-9a-f]{32}\.[a-z0-9]+")
# A picture is put into the storage before its row is written; younger files may still get one.
_ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """``requests``: for answers nobody judged; ``verdicts``; ``pictures`` kept with consent."""

    requests: timedelta
    verdicts: timedelta
    pictures: timedelta

    def apply(self, session: Session, storage: Storage, now: datetime) -> Deleted:
        """Remove whatever is older; gives how much."""
        pictures = book.erase_pictures(session, storage, now - self.pictures)
        total = Deleted(pictures=pictures)
        total += book.erase_verdicts(session, storage, now - self.verdicts)
        return total + book.erase_requests(session, now - self.requests)


def remove_orphans(session: Session, storage: Storage, older_than: float = _ORPHAN_SECONDS) -> int:
    """Remove pictures that no verdict owns and that are ``older_than`` seconds old.

    Other files in the same folder are left alone.
    """
    limit = time.time() - older_than
    # Listed before the rows are read: a file that comes in between has its row by then.
    old = [entry for entry in storage.entries() if entry.modified < limit]
    entries = [entry for entry in old if _OWN.fullmatch(entry.name)]
    kept = book.picture_names(session) if entries else set()
    orphans = [entry for entry in entries if entry.name not in kept]
    for entry in orphans:
        storage.delete(entry.name)
    return len(orphans) + storage.sweep_parts(older_than=older_than)
