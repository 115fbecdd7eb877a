"""Processes that train one net together, each on its share of every batch.

Gradients are averaged over them at every step (torch's DistributedDataParallel), so all hold the
same weights. Whoever starts them says how Lightning finds the others; nothing here does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hyperfocal.errors import HyperfocalError, SettingsError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Group:
    """This process among ``size``, counted from 0. ``trainer``: what Lightning needs to know."""

    rank: int = 0
    size: int = 1
    trainer: Mapping[str, Any] = field(default_factory=lambda: {"devices": 1})

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and decides."""
        return self.rank == 0

    def batch_share(self, batch: int) -> int:
        """How much of a batch is this process's; :class:`SettingsError` if it cannot be split."""
        if batch % self.size:
            raise SettingsError(
                f"a batch of {batch} cannot be split evenly over {self.size} workers: "
                f"make data.batch a multiple of {self.size}"
            )
        return batch // self.size

    def share(self, items: list[Item]) -> list[Item]:
        """Every so many-th item; all of them where there are too few for every process."""
        return items[self.rank :: self.size] if len(items) >= self.size else items

    def told(self, value: Item) -> Item:
        """What the leading process has as ``value``: processors may round differently."""
        if self.size == 1:
            return value
        import torch

        found = [value]
        torch.distributed.broadcast_object_list(found, 0)
        return found[0]

    @contextlib.contextmanager
    def agreed(self) -> Iterator[None]:
        """Raises an error of one process in all of them: none waits for one that has given up."""
        if self.size == 1:
            yield
            return
        problem: HyperfocalError | None = None
        try:
            yield
        except HyperfocalError as error:
            problem = error
        import torch

        found: list[HyperfocalError | None] = [None] * self.size
        torch.distributed.all_gather_object(found, problem)
        first = next(filter(None, found), None)
        if first is not None:
            raise first


ALONE = Group()
