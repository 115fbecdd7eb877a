"""Files kept by name in a folder or a bucket: whatever fsspec has a URL for."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from hyperfocal import paths
from hyperfocal.errors import HyperfocalError, SettingsError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_PART = ".part"
_CHUNK = 1 << 18
_AWAY = "the storage cannot be used: it is not there"


class StorageUnavailable(HyperfocalError):
    """The place where files are kept cannot be reached, is full or refuses.

    ``told``: what those hear who shall not know where it is.
    """

    code = "storage-unavailable"
    status = 503
    told = "the storage of pictures cannot be used at present; try again later"


class FileMissing(HyperfocalError):
    """No file of that name is kept."""

    code = "not-found"
    status = 404


class Stuck:
    """Files that could not be removed, which shall not keep the others.

    Each is removed ``with stuck.passing():``, and :meth:`tell` comes after the last.
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: StorageUnavailable | None = None

    @contextlib.contextmanager
    def passing(self) -> Iterator[None]:
        """Count a :class:`StorageUnavailable` instead of raising it."""
        try:
            yield
        except StorageUnavailable as error:
            self.count += 1
            self._first = self._first or error

    def tell(self) -> None:
        """Raise :class:`StorageUnavailable` with the count and the first reason, if any."""
        if self._first is not None:
            files = "1 file" if self.count == 1 else f"{self.count} files"
            raise StorageUnavailable(
                f"{files} could not be removed: {self._first}"
            ) from self._first


@dataclass(frozen=True, slots=True)
class Entry:
    """A file kept: its size in bytes and when it was written, in seconds since 1970."""

    name: str
    bytes: int
    modified: float


class Storage:
    """One folder of files; every method blocks, and may be called from any thread.

    ``url``: a path or any fsspec URL (``s3://bucket/folder``); ``folder`` is a folder below it.
    A file is there whole or not at all: its content is on the disk before it has its name. Names
    are letters, digits, ``.``, ``_`` and ``-``, so none can lead out of the folder.
    A folder on a disk is made when first written to. One that was there and is not any more, such
    as a volume that was unmounted, is away: it is not made again, and its files are not missing.
    :class:`SettingsError` for a URL that nothing can open.
    """

    def __init__(self, url: str | Path, folder: str = "") -> None:
        self._files, root = _open(str(url))
        self._root = f"{root.rstrip('/')}/{folder}".rstrip("/")
        self._is_local = "file" in _protocols(self._files)
        self._was_there = False

    @property
    def folder(self) -> Path | None:
        """The folder on this machine's disk, which may not be there yet; None of a bucket."""
        return Path(self._root) if self._is_local else None

    def prepare(self) -> None:
        """Make the folder before anything is kept, so that it can be told when it is gone."""
        with self._told(self._root, writing=True):
            if self._is_local:
                self._make()

    def put(self, name: str, source: Path, *, move: bool = False) -> int:
        """Keep the file ``source`` as ``name``; gives its bytes. ``move``: ``source`` goes away."""
        with self._told(name, writing=True):
            size = source.stat().st_size
            if self._is_local:
                self._put_local(Path(self._path(name)), source, move)
            else:
                # An object appears in a bucket when its last byte has arrived, never before.
                self._files.put_file(str(source), self._path(name))
                if move:
                    source.unlink()
        return size

    def mark(self, name: str) -> None:
        """Keep an empty file as ``name``; one that is there counts as written now."""
        with self._told(name, writing=True):
            if self._is_local:
                target = Path(self._path(name))
                self._make()
                target.touch()
            else:
                self._files.pipe_file(self._path(name), b"")

    def fetch(self, name: str, target: Path) -> None:
        """Copy the file ``name`` to ``target``. Raises :class:`FileMissing`."""
        with self._told(name):
            self._files.get_file(self._path(name), str(target))

    def chunks(self, name: str) -> Iterator[bytes]:
        """The file's content, piece by piece. Raises :class:`FileMissing`."""
        with self._told(name), cast(BinaryIO, self._files.open(self._path(name), "rb")) as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    def size(self, name: str) -> int:
        """Bytes of the file. Raises :class:`FileMissing`."""
        with self._told(name):
            self._files.invalidate_cache()
            return int(self._files.info(self._path(name))["size"])

    def local(self, name: str) -> Path | None:
        """Where the file lies on this machine's disk; None in a bucket."""
        return Path(self._path(name)) if self._is_local else None

    def delete(self, name: str) -> bool:
        """Remove the file; False when there was none, which a bucket does not tell."""
        try:
            with self._told(name):
                self._files.rm_file(self._path(name))
        except FileMissing:
            return False
        return True

    def entries(self) -> list[Entry]:
        """Every file kept, in no order."""
        return [entry for entry in self._listed() if _NAME.fullmatch(entry.name)]

    def sweep_parts(self, *, older_than: float) -> int:
        """Remove what writes that were cut off left behind, ``older_than`` seconds old."""
        if not self._is_local:
            return 0
        limit = time.time() - older_than
        old = [e for e in self._listed() if e.name.endswith(_PART) and e.modified < limit]
        gone = 0
        for entry in old:
            # One that cannot be removed must not keep the others.
            with contextlib.suppress(OSError):
                Path(self._root, entry.name).unlink(missing_ok=True)
                gone += 1
        return gone

    def _listed(self) -> list[Entry]:
        with self._told(self._root):
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=True)
            except FileNotFoundError:
                if self._is_away():
                    raise StorageUnavailable(_AWAY) from None
                return []
            self._was_there = True
        return [
            Entry(one["name"].rsplit("/", 1)[-1], int(one["size"] or 0), _seconds(one))
            for one in found
            if one["type"] == "file"
        ]

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise FileMissing(f"'{name}' is no name of a file kept here")
        return f"{self._root}/{name}"

    def _put_local(self, target: Path, source: Path, move: bool) -> None:
        self._make()
        # To another disk nothing can be renamed, and within one not always: then it is copied.
        if move and source.stat().st_dev == target.parent.stat().st_dev:
            _to_disk(source)
            with contextlib.suppress(OSError):
                source.replace(target)
                return
        part = target.parent / f".{secrets.token_hex(8)}{_PART}"
        try:
            shutil.copyfile(source, part)
            _to_disk(part)
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if move:
            source.unlink()

    def _make(self) -> None:
        # Once: below where a volume was mounted nobody would find again what is kept meanwhile.
        if not self._was_there:
            # Pictures are nobody else's business.
            Path(self._root).mkdir(parents=True, exist_ok=True, mode=0o700)
            self._was_there = True

    def check(self) -> None:
        """Raise :class:`StorageUnavailable` where the folder was there before and is not now."""
        if self._is_away():
            raise StorageUnavailable(_AWAY)

    def _is_away(self) -> bool:
        return self._is_local and self._was_there and not Path(self._root).is_dir()

    @contextlib.contextmanager
    def _told(self, name: str, *, writing: bool = False) -> Iterator[None]:
        """Turns what file systems and the clients of buckets raise into this program's errors."""
        try:
            yield
        except (HyperfocalError, GeneratorExit):
            raise
        except FileNotFoundError as error:
            if writing or self._is_away():
                # The folder or the bucket: a file that is to be made need not be there.
                raise StorageUnavailable(_AWAY) from error
            raise FileMissing(f"there is no file '{Path(name).name}'") from error
        except Exception as error:
            # The clients of buckets raise classes of their own for a network that is down.
            raise StorageUnavailable(
                f"the storage cannot be used: {getattr(error, 'strerror', None) or error}"
            ) from error


def _to_disk(path: Path) -> None:
    # To be written to: Windows has nothing to flush of others.
    with path.open("r+b") as file:
        paths.to_disk(file.fileno())


def _open(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    try:
        files, root = url_to_fs(url)
    except ImportError as error:
        raise SettingsError(
            f"{without_password(url)}: {error}; for S3: pip install 'hyperfocal[s3]'"
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"'{without_password(url)}' is no folder or storage URL: {error}"
        ) from error
    return files, str(root)


def without_password(url: str) -> str:
    """The URL of a storage or a database, to be shown: without who signs in there, and how."""
    # A password may hold slashes, which SQLAlchemy takes as they are, and stand behind the address.
    url = re.sub(r"//(?:[^/:]*:.*|[^/]*)@", "//", url)
    return re.sub(r"([?&][^=&]*(?:password|secret|token|key)[^=&]*=)[^&]*", r"\1", url, flags=re.I)


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)


def _seconds(one: dict[str, Any]) -> float:
    """When a file was written, by whichever name its file system has for that."""
    for key in ("mtime", "LastModified", "last_modified", "created"):
        value = one.get(key)
        if isinstance(value, datetime):
            return value.timestamp()
        if isinstance(value, int | float):
            return float(value)
    return time.time()
