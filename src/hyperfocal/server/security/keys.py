"""API keys: random, shown once, kept only as salted hashes in a file of one line a key."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from hyperfocal.errors import SettingsError, UsageError
from hyperfocal.lock import FileLock
from hyperfocal.server.errors import Unauthorized

Scope = Literal["use", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)

_KEY = re.compile(r"hf_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
# What an unknown key is compared with, so that it takes as long as a known one.
_NOBODY = ("00" * 16, "00" * 32)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """One line of the file. ``id``: public, names the key in logs and owns its jobs.

    The hash is BLAKE2b with a salt of its own: the keys are 256 random bits, so nothing slower
    would make guessing any harder.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    salt: str
    hash: str
    created: str


class Keys:
    """The keys of one file, which is read again when it has changed.

    Once they have been read, a file that is damaged or gone is logged, and they hold until it is
    mended or back; at the beginning it is a :class:`SettingsError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = None
        self._by_id: dict[str, Key] = {}
        self._is_away = False
        self._refresh()

    def check(self, text: str) -> Key:
        """The key that this text is; :class:`Unauthorized` if none."""
        self._refresh()
        match = _KEY.fullmatch(text)
        found = self._by_id.get(match[1]) if match else None
        salt, expected = (found.salt, found.hash) if found else _NOBODY
        given = _hash(match[2] if match else "", salt)
        if not hmac.compare_digest(given, expected) or found is None:
            raise Unauthorized("the API key is not known")
        return found

    def __len__(self) -> int:
        return len(self._by_id)

    def _refresh(self) -> None:
        try:
            facts = self._path.stat()
            # The last of them tells of permissions that were given.
            stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino, facts.st_ctime_ns)
            if stamp != self._stamp:
                self._by_id = {key.id: key for key in _read(self._path)}
        except OSError as error:
            if self._stamp is None:
                raise SettingsError(
                    f"{self._path}: the keys cannot be read: {error.strerror}; "
                    "make the first with 'hyperfocal serve keys add NAME'"
                ) from error
            if not self._is_away:
                _log.error(
                    "%s: the keys cannot be read: %s; those that were read before still hold",
                    self._path,
                    error.strerror,
                )
            self._is_away = True
            return
        except SettingsError as error:
            if self._stamp is None:
                raise
            # Nobody who has a key is to be turned away for it.
            _log.error("%s; the keys that were read before still hold", error)
        self._stamp, self._is_away = stamp, False


def read_keys(path: Path) -> list[Key]:
    """The keys in a file, none if it is not there; :class:`SettingsError` where it is damaged."""
    try:
        return _read(path)
    except FileNotFoundError:
        return []


def _read(path: Path) -> list[Key]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: the keys cannot be read: {error}") from error
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            plain = json.loads(line)
            key = Key(**{**plain, "scopes": tuple(plain["scopes"])})
            good = set(key.scopes) <= set(SCOPES) and len(bytes.fromhex(key.hash)) == 32
            bytes.fromhex(key.salt)
        except (ValueError, TypeError, KeyError, RecursionError):
            good = False
        if not good:
            raise SettingsError(f"{path}: line {number} is no API key")
        keys.append(key)
    return keys


def add_key(path: Path, name: str, scopes: Iterable[Scope]) -> tuple[Key, str]:
    """Make a key; the text is what its owner sends, and cannot be told from the file later."""
    if not _NAME.fullmatch(name):
        raise UsageError("a key's name is letters, digits, '.', '_', '@' and '-', 64 at most")
    public, secret, salt = secrets.token_hex(6), secrets.token_urlsafe(32), secrets.token_hex(16)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    key = Key(public, name, tuple(scopes), salt, _hash(secret, salt), made)
    with _changing(path) as keys:
        if any(other.name == name for other in keys):
            raise UsageError(f"there is a key '{name}' already; revoke it or choose another name")
        keys.append(key)
    return key, f"hf_{public}_{secret}"


def revoke_key(path: Path, name: str) -> Key:
    """Remove the key of that name or id; a running service notices at its next request."""
    # Looked for first: where there is none, nothing is made.
    _named(read_keys(path), name)
    with _changing(path) as keys:
        key = _named(keys, name)
        keys.remove(key)
    return key


def _named(keys: Iterable[Key], name: str) -> Key:
    for key in keys:
        if name in (key.name, key.id):
            return key
    raise UsageError(f"there is no key '{name}'; see 'hyperfocal serve keys list'")


@contextmanager
def _changing(path: Path) -> Iterator[list[Key]]:
    """The keys in a file, written when the block ends; nobody else changes them meanwhile."""
    try:
        with FileLock(path.with_name(f".{path.name}.lock")).held():
            keys = read_keys(path)
            yield keys
            _write(path, keys)
    except OSError as error:
        raise SettingsError(f"{path}: the keys cannot be written: {error.strerror}") from error


def _hash(secret: str, salt: str) -> str:
    digest = hashlib.blake2b(secret.encode(), digest_size=32, salt=bytes.fromhex(salt))
    return digest.hexdigest()


def _write(path: Path, keys: Iterable[Key]) -> None:
    lines = "".join(json.dumps(asdict(key)) + "\n" for key in keys)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(lines)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
