"""Super-resolution with Depth Pro's multi-scale encoder.

The encoder is that of Bochkovskii et al., "Depth Pro: Sharp Monocular Metric Depth in Less Than
a Second", ICLR 2025, as transformers implements it; the head is ours. What differs from the
super-resolution networks published on it, and why:

- No field-of-view encoder: nothing in super-resolution reads it, so it never gets a gradient.
- The output is the bicubic enlargement plus a residual whose last convolution starts at zero.
- The encoder only ever sees square tiles of one size. Its patches are merged by counts and
  paddings that hold for squares of particular sides; other shapes come out scrambled.
- The encoder looks at the picture enlarged to the size of the output, never at one shrunk to a
  fixed size, and whole pictures are made of overlapping tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hyperfocal.errors import ModelMissing, RuntimeMissing
from hyperfocal.models.anchor import bicubic_anchor

if TYPE_CHECKING:
    from transformers import DepthProConfig, DepthProModel

# Side in pixels of what the encoder sees, of a patch of it, and of a ViT's token. Patches of all
# three resolutions then cover a tile exactly: 5 a side that overlap by a quarter, 3 by a half, 1.
# The overlaps are 2 and 4 tokens, so 1 and 2 are cut from each of two neighbours; and the finest
# of the five feature maps has half the resolution of the tile.
TILE, PATCH, TOKEN = 512, 128, 16
_MERGE_PADDING = 1


def configuration(width: int, depth: int) -> DepthProConfig:
    """Depth Pro's configuration for ViTs of ``width`` channels and ``depth`` layers.

    Width 1024 with 24 layers and patches of 384 pixels is the published depth model.
    :class:`RuntimeMissing` without transformers.
    """
    try:
        from transformers import DepthProConfig
    except ImportError as error:
        raise RuntimeMissing(
            "the net depthpro-sr needs transformers: pip install 'hyperfocal[depthpro]'"
        ) from error

    vit = {
        "model_type": "dinov2",
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": max(1, width // 64),
        "image_size": PATCH,
        "patch_size": TOKEN,
        "use_mask_token": False,
    }
    return DepthProConfig(
        patch_size=PATCH,
        fusion_hidden_size=width // 4,
        # A half and a quarter of the way up, as 11 and 5 of 24.
        intermediate_hook_ids=[max(depth // 2 - 1, 0), max(depth // 4 - 1, 0)],
        intermediate_feature_dims=[width // 4, width // 4],
        scaled_images_feature_dims=[width, width, width // 2],
        merge_padding_value=_MERGE_PADDING,
        image_model_config=dict(vit),
        patch_model_config=dict(vit),
        fov_model_config=dict(vit),
        use_fov_model=False,
    )


class Residual(nn.Module):
    """``x + conv(relu(conv(relu(x))))``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + y


class Head(nn.Module):
    """Five feature maps, each twice as fine as the one before, to a residual in RGB.

    The finest has half the resolution of the tile; what it lacks comes from the enlarged
    picture through two convolutions at full resolution.
    """

    def __init__(self, features: int, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Residual(features) for _ in range(5))
        self.rise = nn.Conv2d(features, 4 * channels, 3, padding=1)
        self.shallow = nn.Conv2d(3, channels, 3, padding=1)
        self.mix = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, features: list[Tensor], enlarged: Tensor) -> Tensor:
        y = self.blocks[0](features[0])
        for block, finer in zip(self.blocks[1:], features[1:], strict=True):
            y = F.interpolate(y, size=finer.shape[2:], mode="bilinear", align_corners=False)
            y = block(y + finer)
        deep = F.pixel_shuffle(self.rise(y), 2)
        both = torch.cat([F.relu(deep), F.relu(self.shallow(enlarged))], dim=1)
        residual: Tensor = self.last(F.relu(self.mix(both)))
        return residual


class DepthProSR(nn.Module):
    """``(N, 3, H, W)`` in [0, 1] to ``(N, 3, scale*H, scale*W)``, not clipped.

    ``width`` and ``depth`` of both ViTs (1024 and 4 in the published super-resolution form). The
    encoder sees tiles of ``TILE`` output pixels. Random; :func:`load_pretrained` fills the encoder.
    """

    def __init__(self, scale: int, width: int = 1024, depth: int = 4) -> None:
        super().__init__()
        config = configuration(width, depth)
        from transformers import DepthProModel

        self.scale = scale
        anchor, self.anchor_pad = bicubic_anchor(scale)
        self.register_buffer("anchor", torch.from_numpy(anchor), persistent=False)
        self.encoder = DepthProModel(config)
        self.head = Head(width // 4, max(width // 16, 8))

    def enlarge(self, x: Tensor) -> Tensor:
        """The bicubic enlargement."""
        pad = self.anchor_pad
        edged = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        with torch.autocast(x.device.type, enabled=False):
            return F.pixel_shuffle(F.conv2d(edged.float(), self.anchor), self.scale)

    def residual(self, enlarged: Tensor) -> Tensor:
        """What to add to tiles ``(N, 3, TILE, TILE)``."""
        # Depth Pro was trained on pixels in [-1, 1].
        features = self.encoder(2.0 * enlarged - 1.0).features
        value: Tensor = self.head(features, enlarged)
        return value.float()

    def forward(self, x: Tensor) -> Tensor:
        enlarged = self.enlarge(x)
        if enlarged.shape[2] == enlarged.shape[3] == TILE:
            return enlarged + self.residual(enlarged)
        return enlarged + self._tiled(enlarged)

    def _tiled(self, enlarged: Tensor) -> Tensor:
        """The residual of a picture of any size, from tiles that overlap and fade into each other.

        Attention sees a whole tile, so tiles differ where they overlap; the fade hides it.
        """
        height, width = enlarged.shape[2:]
        below, right = max(TILE - height, 0), max(TILE - width, 0)
        padded = F.pad(enlarged, (0, right, 0, below), mode="replicate")
        total = torch.zeros_like(padded)
        weight = torch.zeros_like(padded[:1, :1])
        ramp = fade(TILE).to(padded)
        window = ramp[:, None] * ramp[None, :]
        for y in starts(padded.shape[2], TILE):
            for x in starts(padded.shape[3], TILE):
                place = (..., slice(y, y + TILE), slice(x, x + TILE))
                total[place] += window * self.residual(padded[place])
                weight[place] += window
        return (total / weight)[..., :height, :width]


def starts(length: int, tile: int) -> list[int]:
    """Where evenly spaced tiles begin that cover ``length`` and overlap by a quarter or more."""
    if length <= tile:
        return [0]
    count = -(-(length - tile) // (tile * 3 // 4)) + 1
    return [round(i * (length - tile) / (count - 1)) for i in range(count)]


def fade(tile: int) -> Tensor:
    """Weights ``(tile,)``: one in the middle, falling to nearly zero over the outer quarters."""
    near = torch.minimum(torch.arange(tile), torch.arange(tile).flip(0)) + 0.5
    return torch.clamp(near / (tile / 4), max=1.0)


def load_pretrained(encoder: DepthProModel, name: str) -> None:
    """Fill an encoder from published weights: its first layers, position codes resized.

    ``name``: of the hub, such as ``apple/DepthPro-hf``, or a folder.
    :class:`ModelMissing` when they are neither in the hub's local cache nor to be had, or are
    of another width.
    """
    from transformers import DepthProModel

    try:
        source = DepthProModel.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ModelMissing(
            f"the weights '{name}' cannot be had: {str(error).splitlines()[0]} "
            "(leave out net.pretrained to start from random weights)"
        ) from error
    theirs = source.state_dict()
    ours = encoder.state_dict()
    for key, value in ours.items():
        given = theirs.get(key)
        if given is not None and key.endswith("position_embeddings"):
            given = _resized_positions(given, value.shape[1])
        elif given is not None and key.endswith("patch_embeddings.projection.weight"):
            given = F.interpolate(given, size=value.shape[2:], mode="bicubic", antialias=True)
        if given is None or given.shape != value.shape:
            raise ModelMissing(f"the weights '{name}' do not fit this net: {key} differs")
        value.copy_(given)


def _resized_positions(codes: Tensor, count: int) -> Tensor:
    """Position codes ``(1, 1 + n * n, C)`` for another number of tokens."""
    first, grid = codes[:, :1], codes[:, 1:]
    side, wanted = round(grid.shape[1] ** 0.5), round((count - 1) ** 0.5)
    planes = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
    planes = F.interpolate(planes, size=(wanted, wanted), mode="bicubic", align_corners=False)
    return torch.cat([first, planes.permute(0, 2, 3, 1).reshape(1, wanted * wanted, -1)], dim=1)
