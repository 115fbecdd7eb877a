"""Architectures, by the name an experiment file uses."""

from __future__ import annotations

from hyperfocal.training.nets.plain import PlainNet

__all__ = ["NETS", "PlainNet"]

NETS = {"plain": PlainNet}
