"""Which failure of one picture is that of every other, so that the rest need not be sent."""

from __future__ import annotations

import errno
import os
from http import HTTPStatus
from pathlib import Path

from hyperfocal import paths
from hyperfocal.client.client import Client
from hyperfocal.client.errors import Forbidden, ServiceError, Unauthorized, is_away
from hyperfocal.errors import GarbledOutput, ModelError, OutputRefused

# Of the disk as a whole; a file that is too large for it (EFBIG) is one picture's.
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}


def is_hopeless(error: Exception, client: Client, folder: Path) -> bool:
    """Whether the others would fail of it too; ``folder``: of the results.

    Asks the service whether it is there where the error may mean that it is not.
    """
    match error:
        case GarbledOutput():
            return False
        case Unauthorized() | Forbidden() if not error.is_own:
            # A filter before the service may have found something in the bytes of one picture.
            return not client.health().alive
        case Unauthorized() | Forbidden() | ModelError():
            return True
        case OutputRefused():
            closed = paths.exists(folder) and not os.access(folder, os.W_OK | os.X_OK)
            return closed or _is_of_the_disk(error)
        case ServiceError():
            # Nothing else tells a service that is gone from what one picture met with: a proxy
            # that takes none so large, a worker that takes too long.
            unsure = is_away(error) or error.status == HTTPStatus.SERVICE_UNAVAILABLE
            return unsure and not client.health().alive
    return False


def _is_of_the_disk(error: OutputRefused) -> bool:
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in _OF_THE_DISK
