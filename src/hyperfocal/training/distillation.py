"""Learning from a larger net as well as from the originals.

Hinton et al., "Distilling the Knowledge in a Neural Network", 2015. What the teacher makes of a
picture is what can be made of it: a target without the detail that nobody could guess.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from hyperfocal.errors import SettingsError
from hyperfocal.training.nets.plain import PlainNet
from hyperfocal.training.stored import read_folded
from hyperfocal.training.weights import start_from


class Teacher:
    """A trained plain net, out of a float ONNX file or checkpoint. Not a module: in no checkpoint.

    Raises what :func:`read_folded` raises, and :class:`SettingsError` for another ``scale``.
    """

    def __init__(self, path: Path, scale: int) -> None:
        folded = read_folded(path)
        if folded.scale != scale:
            raise SettingsError(
                f"the teacher {path} enlarges {folded.scale} times and the net {scale} times"
            )
        channels, depth = folded.layers[0][0].shape[0], len(folded.layers) - 2
        net = PlainNet(scale, channels, depth, folded.unshuffle, expand=0)
        start_from(net, folded)
        self.net = net.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, lr: Tensor) -> Tensor:
        """``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)`` float32 in [0, 1]."""
        made: Tensor = self.net.to(lr.device)(lr).float().clamp(0.0, 1.0)
        return made
