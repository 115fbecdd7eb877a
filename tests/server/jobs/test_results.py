"""Files that end, and the links to them."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from hyperfocal.imaging.formats import FORMATS, WRITABLE
from hyperfocal.server.errors import Forbidden, NotFound
from hyperfocal.server.results import Results
from hyperfocal.server.security.links import LinkExpired, check, sign
from hyperfocal.server.settings import ServerSettings
from hyperfocal.storage import Storage, StorageUnavailable


@pytest.fixture
def results(settings):
    return Results(settings)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "made"
    path.write_bytes(b"pixels")
    return path


def parts(url: str) -> tuple[str, int, str]:
    """Name, expiry and signature of a link."""
    split = urlsplit(url)
    query = {name: value for name, (value,) in parse_qs(split.query).items()}
    return split.path.rpartition("/")[2], int(query["expires"]), query["signature"]


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_a_storage_is_known_again_by_whoever_uses_it(settings, tmp_path, where):
    def elsewhere():
        return str(tmp_path / "other") if where == "folder" else f"memory://{uuid.uuid4().hex}"

    async def main():
        here = settings.model_copy(update={"results": elsewhere()})
        other = settings.model_copy(update={"results": elsewhere() + "s"})
        found = [await Results(used).ids() for used in (here, here, other)]
        assert len(found[0]) == 1
        assert found[0] == found[1] != found[2]
        # Nothing that is removed once its time is over.
        assert await Results(here).sweep(time.time() * 2) == 0
        assert await Results(here).ids() == found[0]

    asyncio.run(main())


def test_services_that_come_to_a_new_storage_at_once_know_each_other(settings, monkeypatch):
    async def main():
        first, mark = Results(settings), Storage.mark
        second = Results(settings)

        def meanwhile(storage, name):
            monkeypatch.setattr(Storage, "mark", mark)
            assert len(asyncio.run(second.ids())) == 1
            # They meet again, whichever came first.
            second._identifying = asyncio.Lock()
            mark(storage, name)

        monkeypatch.setattr(Storage, "mark", meanwhile)
        await first.ids()
        for one in (first, second):
            await one.look()
        assert len(await first.ids()) == 2
        assert await first.ids() == await second.ids() == await Results(settings).ids()

    asyncio.run(main())


def test_a_storage_that_is_away_is_asked_again(settings, monkeypatch):
    async def main():
        results, entries = Results(settings), Storage.entries

        def away(storage):
            raise StorageUnavailable("away")

        monkeypatch.setattr(Storage, "entries", away)
        with pytest.raises(StorageUnavailable):
            await results.ids()
        monkeypatch.setattr(Storage, "entries", entries)
        found = await results.ids()
        assert len(found) == 1
        # It is asked once only.
        monkeypatch.setattr(Storage, "entries", away)
        assert await results.ids() == found

    asyncio.run(main())


def test_the_mark_of_a_storage_does_not_grow_old_and_is_made_again(settings):
    """What a bucket's rules or somebody who tidies up remove, and what they do not."""

    async def main():
        results = Results(settings)
        (known,) = await results.ids()
        mark = settings.data / "results" / "inputs" / f"storage-{known}"
        assert mark.is_file()
        os.utime(mark, (0, 0))
        await results.look()
        assert time.time() - mark.stat().st_mtime < 60
        mark.unlink()
        assert await results.look() == frozenset()
        assert mark.is_file()
        assert await Results(settings).ids() == (known,)

    asyncio.run(main())


def test_only_the_folders_of_results_and_inputs_are_used(settings, picture, monkeypatch):
    """Who signs in at a bucket may have no right to anything else there."""

    async def main():
        entries, mark, used = Storage.entries, Storage.mark, set()

        def listed(storage):
            used.add(storage.folder.name)
            return entries(storage)

        def marked(storage, name):
            used.add(storage.folder.name)
            mark(storage, name)

        monkeypatch.setattr(Storage, "entries", listed)
        monkeypatch.setattr(Storage, "mark", marked)
        results = Results(settings)
        await results.ids()
        name = await results.inputs.put(picture, "image/png", seconds=60)
        assert name in await results.look()
        await results.sweep()
        assert used == {"inputs", "results"}
        assert {path.name for path in (settings.data / "results").iterdir()} <= used

    asyncio.run(main())


def test_a_link_leads_to_its_file(results, picture):
    async def main():
        name = await results.put(picture, "image/webp")
        assert picture.exists()
        kept = await results.opened(*parts(results.url(name)))
        assert (kept.name, kept.media_type, kept.bytes) == (name, "image/webp", 6)
        assert kept.path.read_bytes() == b"pixels"
        assert b"".join([piece async for piece in results.chunks(name)]) == b"pixels"

    asyncio.run(main())


@pytest.mark.parametrize("name", WRITABLE)
def test_every_kind_that_is_written_keeps_its_type(results, picture, name):
    async def main():
        kind = FORMATS[name].media_type
        assert (await results.find(await results.put(picture, kind))).media_type == kind

    asyncio.run(main())


def test_a_link_is_good_as_long_as_the_setting_says(results, picture):
    async def main():
        before = int(time.time())
        name = await results.put(picture, "image/png", move=True)
        assert not picture.exists()
        assert before + 3600 <= parts(results.url(name))[1] <= time.time() + 3600

    asyncio.run(main())


def test_names_cannot_be_guessed_and_never_repeat(results, picture):
    async def main():
        names = {await results.put(picture, "image/png", seconds=9) for _ in range(20)}
        assert len({name.partition("-")[2] for name in names}) == 20

    asyncio.run(main())


def test_a_changed_link_is_refused(results, picture):
    async def main():
        first, second = [await results.put(picture, "image/png") for _ in range(2)]
        name, expires, signature = parts(results.url(first))
        for link in (
            (second, expires, signature),
            (name, expires + 1, signature),
            (name, expires, signature[:-1] + ("A" if signature[-1] != "A" else "B")),
            (name, expires, ""),
            (name, expires, "ä" * 43),
        ):
            with pytest.raises(Forbidden):
                await results.opened(*link)
        stranger = Results(ServerSettings(data=picture.parent, secret="another secret"))
        with pytest.raises(Forbidden):
            await stranger.opened(name, expires, signature)

    asyncio.run(main())


def test_a_file_that_has_ended_is_not_shown_even_while_it_lies_there(results, picture):
    async def main():
        name = await results.put(picture, "image/png", seconds=-1)
        with pytest.raises(LinkExpired):
            await results.opened(*parts(results.url(name)))
        with pytest.raises(NotFound):
            await results.find(name)

    asyncio.run(main())


@pytest.mark.parametrize(
    "name", ["", "..", "../secret", "a.png", "9999999999-xyz.png", "\0", "9" * 12 + "-/.png"]
)
def test_names_of_other_files_lead_nowhere(results, name):
    async def main():
        with pytest.raises(NotFound):
            await results.find(name)

    asyncio.run(main())


def test_what_was_deleted_is_gone(results, picture):
    async def main():
        name = await results.put(picture, "image/png")
        await results.delete(name, None, name)
        with pytest.raises(NotFound):
            await results.find(name)

    asyncio.run(main())


def test_without_a_secret_links_end_with_the_process(tmp_path, picture):
    async def main():
        settings = ServerSettings(data=tmp_path)
        name = await Results(settings).put(picture, "image/png")
        link = parts(Results(settings).url(name))
        with pytest.raises(Forbidden):
            await Results(settings).opened(*link)

    asyncio.run(main())


def test_signatures_differ_in_all_that_they_sign():
    signed = {
        sign(name, expires, secret)
        for name in ("a", "a1")
        for expires in (2, 12)
        for secret in ("s", "t")
    }
    assert len(signed) == 8


def test_the_moment_a_link_ends():
    signature = sign("a", 100, "s")
    check("a", 100, signature, "s", now=99.9)
    with pytest.raises(LinkExpired):
        check("a", 100, signature, "s", now=100)
