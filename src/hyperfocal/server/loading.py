"""Which models a running service uses: as it is told, or as an alias in the registry moves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from anyio import to_thread

from hyperfocal.errors import HyperfocalError, UsageError
from hyperfocal.models.aliasing import aliases, resolve
from hyperfocal.server.service import Chosen
from hyperfocal.settings import Settings

if TYPE_CHECKING:
    from hyperfocal.server.service import Service

_log = logging.getLogger(__name__)


class NothingBefore(UsageError):
    """There were no other models before."""

    code = "nothing-before"
    status = 409


def choose(names: tuple[str, ...]) -> Chosen:
    """What the names stand for now. Reads files; blocks. Raises :class:`ModelBroken`.

    Workers get what aliases stood for, not aliases: one that is replaced must load what the
    others have.
    """
    settings = Settings.read()
    return Chosen(names, tuple(resolve(name, settings) for name in names))


async def load(service: Service, names: tuple[str, ...] | None = None) -> str:
    """Load models and use them from then on; gives their version.

    ``names``: None for those that are chosen when it is this call's turn, whatever they stand for
    by then. Pictures in work are finished with the models they began with. Raises
    :class:`ModelError`, and then nothing has changed.
    """
    async with service.changing:
        before = service.chosen
        wish = await to_thread.run_sync(choose, before.names if names is None else names)
        version = await _change(service, wish)
        if service.chosen.models != before.models:
            service.previous.append(before)
        return version


async def go_back(service: Service) -> str:
    """Load what was loaded before; as :func:`load`. Raises :class:`NothingBefore`."""
    async with service.changing:
        if not service.previous:
            raise NothingBefore("no other models were loaded before these")
        version = await _change(service, service.previous[-1])
        service.previous.pop()
        return version


async def follow(service: Service, seen: dict[str, str], seconds: float) -> None:
    """Load anew whenever an alias has moved, for ever; ``seen``: the aliases as they were.

    What cannot be loaded is logged, changes nothing, and is not tried again until an alias moves.
    """
    told = ""
    while True:
        await asyncio.sleep(seconds)
        try:
            found = await to_thread.run_sync(aliases)
            # What is damaged is told once, and again when it was mended in between.
            told = ""
            if found == seen:
                continue
            # Those that are not loaded, too: workers remember what requests named.
            seen = found
            await load(service)
        except (HyperfocalError, OSError) as error:
            if str(error) != told:
                told = str(error)
                _log.error("an alias is not followed: %s", told)
        except Exception:  # noqa: BLE001 - whatever it was, the next move is to be followed
            _log.exception("an alias is not followed")


async def _change(service: Service, wish: Chosen) -> str:
    # Not undone when the client leaves: the new workers may be in place by then.
    version = await asyncio.shield(service.pool.reload(wish.models))
    service.chosen = wish
    await service.tell_models()
    _log.info("models loaded", extra={"fields": {"models": wish.models, "version": version}})
    return version
