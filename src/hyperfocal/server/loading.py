"""Which models a running service uses: as it is told, or as an alias in the registry moves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from anyio import to_thread

from hyperfocal.errors import HyperfocalError, UsageError
from hyperfocal.models.aliasing import aliases, resolve
from hyperfocal.server.service import Chosen
from hyperfocal.settings import Settings

if TYPE_CHECKING:
    from hyperfocal.server.service import Service

_log = logging.getLogger(__name__)

# Seconds between attempts to follow an alias, at most: what failed may have been a full disk.
_LONGEST = 300.0


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
    by then; after a :func:`go_back` only those that stand for something else than at that time.
    Pictures in work are finished with the models they began with. Raises :class:`ModelError`, and
    then nothing has changed.
    """
    async with service.changing:
        before = service.chosen
        wish = await to_thread.run_sync(choose, before.names if names is None else names)
        held = _still_held(service, wish) if names is None else {}
        if held:
            stayed = {**dict(zip(wish.names, wish.models, strict=True)), **_models(before, held)}
            wish = replace(wish, models=tuple(stayed[name] for name in wish.names))
        version = await _change(service, wish)
        service.held = held
        if service.chosen.models != before.models:
            service.previous.append(before)
        return version


async def go_back(service: Service) -> str:
    """Load what was loaded before; as :func:`load`. Raises :class:`NothingBefore`.

    It holds until an alias of these models moves, or others are asked for.
    """
    async with service.changing:
        if not service.previous:
            raise NothingBefore("no other models were loaded before these")
        wish, now = service.previous[-1], service.chosen
        try:
            now = await to_thread.run_sync(choose, wish.names)
        except HyperfocalError:
            # Damaged aliases must not keep anybody from going back: they are as they were.
            _log.warning("the aliases cannot be read; going back all the same")
        version = await _change(service, wish)
        service.held = _models(now, wish.names)
        service.previous.pop()
        return version


async def follow(service: Service, seen: dict[str, str], seconds: float) -> None:
    """Load anew whenever an alias has moved, for ever; ``seen``: the aliases as they were.

    What cannot be loaded is logged once, changes nothing, shows in the metrics, and is tried again
    with growing pauses, at once when an alias moves.
    """
    now = asyncio.get_running_loop().time
    told, pause, due = "", seconds, 0.0
    failed: dict[str, str] | None = None
    while True:
        await asyncio.sleep(seconds)
        found = None
        try:
            found = await to_thread.run_sync(aliases)
            if found == failed and now() < due:
                continue
            if found != failed:
                # What is damaged is told once, and again when it was mended in between.
                told, pause, failed = "", seconds, None
            # Those that are not loaded, too: workers remember what requests named.
            if found != seen:
                await load(service)
                seen, failed, told = found, None, ""
            service.metrics.followed(True)
            continue
        except (HyperfocalError, OSError) as error:
            if str(error) != told:
                told = str(error)
                _log.error("an alias is not followed: %s", told)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            if repr(error) != told:
                told = repr(error)
                _log.exception("an alias is not followed")
        service.metrics.followed(False)
        failed, pause = found, min(2 * pause, max(seconds, _LONGEST))
        due = now() + pause


def _still_held(service: Service, wish: Chosen) -> dict[str, str]:
    """What was gone back from, of the names that stand for the same as at that time."""
    held = service.held.items()
    return dict(held & dict(zip(wish.names, wish.models, strict=True)).items())


def _models(chosen: Chosen, names: Iterable[str]) -> dict[str, str]:
    """What those of the names that are chosen stand for."""
    models = dict(zip(chosen.names, chosen.models, strict=True))
    return {name: models[name] for name in names if name in models}


async def _change(service: Service, wish: Chosen) -> str:
    reloading = asyncio.ensure_future(service.pool.reload(wish.models))
    # Looked at here because whoever waits for it may be cancelled before it fails.
    reloading.add_done_callback(lambda done: done.cancelled() or done.exception())
    # Not undone when the client leaves: the new workers may be in place by then.
    version = await asyncio.shield(reloading)
    service.chosen = wish
    # Requests that name one of these get what was chosen, also where its alias stands for
    # something else by now: after a rollback for what was gone back from.
    service.pool.chosen = _models(wish, wish.names)
    await service.tell_models()
    _log.info("models loaded", extra={"fields": {"models": wish.models, "version": version}})
    return version
