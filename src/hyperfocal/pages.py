"""Arrays that need not fit into memory: backed by an unlinked file, released row by row.

A result of a hundred megapixels is written once and read once, in order. In a file-backed array
the rows that are done with cost no resident memory, and such an array is an ordinary
ndarray to everyone else.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import tempfile
from typing import Any

import numpy as np
import numpy.typing as npt

from hyperfocal.errors import OutputRefused
from hyperfocal.paths import scratch

Array = npt.NDArray[Any]


def allocate(shape: tuple[int, ...], dtype: npt.DTypeLike, *, on_disk: bool) -> Array:
    """An uninitialised array, on disk also where memory has no room for it.

    :class:`OutputRefused` where the disk has no room either.
    """
    kind = np.dtype(dtype)
    if not on_disk:
        with contextlib.suppress(MemoryError):
            return np.empty(shape, kind)
    size = math.prod(shape) * kind.itemsize
    folder = scratch()
    try:
        with tempfile.TemporaryFile(prefix="hyperfocal-", dir=folder) as file:
            # Reserved now: writing into a hole of a full disk would kill the process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            pages = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise OutputRefused(
            f"a temporary file of {size / 1e6:.0f} MB could not be made in {folder} "
            f"({error.strerror}); free some space, set TMPDIR, or allow more memory"
        ) from error
    return np.frombuffer(pages, kind).reshape(shape)


def is_on_disk(array: Array) -> bool:
    """Whether ``array`` is, or is a view of, one made on disk by :func:`allocate`."""
    return _root(array) is not None


def release(array: Array) -> None:
    """Take ``array`` out of resident memory; its contents stay.

    ``array``: adjoining rows of one that :func:`allocate` made on disk. Nothing happens for any
    other, nor on systems without ``madvise``.
    """
    root = _root(array)
    if root is None or array.size == 0 or not array.flags.c_contiguous:
        return
    advice = getattr(mmap, "MADV_DONTNEED", None)
    if advice is None:
        return
    offset = array.ctypes.data - root.ctypes.data
    start = offset // mmap.PAGESIZE * mmap.PAGESIZE
    _mapping(root).madvise(advice, start, offset + array.nbytes - start)


def _root(array: Array) -> Array | None:
    """The array that lies directly on the file, if there is one."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array if _mapping(array) is not None else None


def _mapping(array: Array) -> Any:
    base: Any = array.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if isinstance(base, mmap.mmap) else None
