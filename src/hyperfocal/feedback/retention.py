"""How long what is known about requests is kept."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from hyperfocal.feedback import book
from hyperfocal.feedback.records import Deleted
from hyperfocal.storage import Storage, Stuck

# As book.keep names pictures. Whatever else somebody has in the folder is not ours to remove.
_OWN = re.compile(r"[0-9a-f]{32}\.[a-z0-9]+")
# A picture is put into the storage before its row is written; younger files may still get one.
_ORPHAN_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Retention:
    """``requests``: for answers nobody judged; ``verdicts``; ``pictures`` kept with consent.

    Each kind is removed in a transaction of its own, so that what keeps one keeps no other.
    """

    requests: timedelta
    verdicts: timedelta
    pictures: timedelta

    def erase_pictures(
        self, session: Session, storage: Storage, now: datetime, stuck: Stuck
    ) -> Deleted:
        """Remove the pictures that are older, see :func:`book.erase_pictures`."""
        return book.erase_pictures(session, storage, now - self.pictures, stuck)

    def erase_verdicts(
        self, session: Session, storage: Storage, now: datetime, stuck: Stuck
    ) -> Deleted:
        """Remove the verdicts that are older, see :func:`book.erase_verdicts`."""
        return book.erase_verdicts(session, storage, now - self.verdicts, stuck)

    def erase_requests(self, session: Session, now: datetime) -> Deleted:
        """Remove the requests that are older, see :func:`book.erase_requests`."""
        return book.erase_requests(session, now - self.requests)


def remove_orphans(session: Session, storage: Storage, older_than: float = _ORPHAN_SECONDS) -> int:
    """Remove pictures that no verdict owns and that are ``older_than`` seconds old.

    Other files in the same folder are left alone. :class:`StorageUnavailable`, once all others
    are gone, where some cannot be removed.
    """
    limit = time.time() - older_than
    # Listed before the rows are read: a file that comes in between has its row by then.
    old = [entry for entry in storage.entries() if entry.modified < limit]
    entries = [entry for entry in old if _OWN.fullmatch(entry.name)]
    kept = book.picture_names(session) if entries else set()
    orphans = [entry for entry in entries if entry.name not in kept]
    gone, stuck = 0, Stuck()
    for entry in orphans:
        with stuck.passing():
            storage.delete(entry.name)
            gone += 1
    gone += storage.sweep_parts(older_than=older_than)
    stuck.tell()
    return gone
