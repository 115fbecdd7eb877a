"""Architectures, by the name an experiment file uses."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from hyperfocal.training.experiment import Experiment, NetSection
from hyperfocal.training.nets.plain import PlainNet

__all__ = ["NETS", "PlainNet", "build_net"]


def _plain(net: NetSection) -> nn.Module:
    return PlainNet(
        net.scale,
        net.channels,
        net.depth,
        net.unshuffle,
        net.expand,
        clipped=net.clipped,
        consistent=net.consistent,
        qat=net.qat,
    )


def _depthpro(net: NetSection) -> nn.Module:
    # transformers is an extra of its own.
    from hyperfocal.training.nets.depthpro_sr import DepthProSR

    return DepthProSR(net.scale, net.channels, net.depth)


NETS: dict[str, Callable[[NetSection], nn.Module]] = {"plain": _plain, "depthpro-sr": _depthpro}


def build_net(experiment: Experiment) -> nn.Module:
    """The net of an experiment, with random weights whatever it says it starts from."""
    return NETS[experiment.net.name](experiment.net)
