"""The faults of Depth Pro super-resolution networks, each shown to be absent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

pytest.importorskip("transformers")

from hyperfocal.errors import ModelMissing
from hyperfocal.quality.resize import imresize
from hyperfocal.training.nets.depthpro_sr import (
    TILE,
    TOKEN,
    DepthProSR,
    fade,
    load_pretrained,
    starts,
)

LAYERS = 4


@pytest.fixture(scope="module")
def net() -> DepthProSR:
    torch.manual_seed(1)
    return DepthProSR(2, width=16, depth=LAYERS).eval()


def picture(height: int, width: int) -> Tensor:
    return torch.tensor(np.random.default_rng(3).random((1, 3, height, width), np.float32))


@torch.no_grad()
def test_untrained_it_is_the_bicubic_enlargement_exactly(net: DepthProSR) -> None:
    for height, width in ((TILE // 2, TILE // 2), (90, 300)):
        x = picture(height, width)
        assert torch.equal(net(x), net.enlarge(x))
    resized = imresize(x[0].permute(1, 2, 0).numpy(), 2.0)
    inside = np.s_[8:-8, 8:-8]
    difference = net(x)[0].permute(1, 2, 0).numpy()[inside] - resized[inside]
    assert np.abs(difference).max() < 1e-5


def test_every_parameter_has_a_gradient() -> None:
    torch.manual_seed(2)
    net = DepthProSR(2, width=16, depth=LAYERS)
    nn.init.normal_(net.head.last.weight, std=0.1)
    net(picture(TILE // 2, TILE // 2)).square().mean().backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert idle == []
    assert all(p.requires_grad for p in net.parameters())


def test_no_field_of_view_encoder(net: DepthProSR) -> None:
    assert not [name for name, _ in net.named_parameters() if "fov" in name]


class MeanOfToken(nn.Module):
    """Stands for a ViT: a token holds the mean of its own pixels, in every layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, pixel_values: Tensor, **_: Any) -> Any:
        tokens = F.avg_pool2d(pixel_values.mean(1, keepdim=True), TOKEN).flatten(2)
        hidden = tokens.transpose(1, 2).expand(-1, -1, self.width)
        hidden = torch.cat([torch.zeros_like(hidden[:, :1]), hidden], dim=1)
        return _Output(hidden, (hidden,) * (LAYERS + 1))


class _Output(SimpleNamespace):
    def __init__(self, last: Tensor, hidden: tuple[Tensor, ...]) -> None:
        super().__init__(last_hidden_state=last, hidden_states=hidden, attentions=None)

    def __getitem__(self, index: int | slice) -> Any:
        return (self.last_hidden_state, None)[index]


@pytest.fixture
def seeing(net: DepthProSR) -> Iterator[DepthProSR]:
    """The net with ViTs that only look."""
    encoder = net.encoder.encoder
    kept = encoder.patch_encoder.model, encoder.image_encoder.model
    encoder.patch_encoder.model = MeanOfToken(16)
    encoder.image_encoder.model = MeanOfToken(16)
    yield net
    encoder.patch_encoder.model, encoder.image_encoder.model = kept


def blob(height: int, width: int, y: float, x: float, sigma: float = 44.0) -> Tensor:
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    bump = torch.exp(-((rows[:, None] - y) ** 2 + (columns[None] - x) ** 2) / (2 * sigma**2))
    return bump.expand(1, 3, height, width)


def centre(plane: Tensor, side: float) -> tuple[float, float]:
    """Centre of mass ``(y, x)`` in pixels, where a cell of the plane is ``side`` pixels wide."""
    plane = plane.double()
    rows, columns = ((torch.arange(n) + 0.5) * side for n in plane.shape)
    total = plane.sum()
    return float((plane.sum(1) * rows).sum() / total), float((plane.sum(0) * columns).sum() / total)


@torch.no_grad()
@pytest.mark.parametrize(("y", "x"), [(180.0, 330.0), (301.0, 150.5), (256.0, 256.0)])
def test_every_resolution_sees_things_where_they_are(
    seeing: DepthProSR, y: float, x: float
) -> None:
    features = seeing.encoder.encoder(blob(TILE, TILE, y, x)).features
    assert len(features) == 6
    for plane in features:
        found = centre(plane[0, 0], TILE / plane.shape[2])
        assert abs(found[0] - y) < 1.0
        assert abs(found[1] - x) < 1.0


@torch.no_grad()
@pytest.mark.parametrize(("height", "width"), [(300, 420), (420, 150), (256, 700)])
def test_pictures_that_are_not_square_stay_in_register(
    seeing: DepthProSR, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    monkeypatch.setattr(seeing, "residual", lambda tiles: _seen(seeing, tiles))
    y, x = height * 0.55, width * 0.6
    dark = torch.zeros(1, 3, height, width)
    lit = blob(height, width, y, x, sigma=12.0)
    change = (seeing(lit) - seeing.enlarge(lit)) - (seeing(dark) - seeing.enlarge(dark))
    found = centre(change[0].mean(0), 1.0)
    assert abs(found[0] - 2 * y) < 1.0
    assert abs(found[1] - 2 * x) < 1.0


def _seen(net: DepthProSR, tiles: Tensor) -> Tensor:
    """The finest features of the patches, enlarged to the tile."""
    plane = net.encoder.encoder(tiles).features[3][:, :1]
    return F.interpolate(plane, size=tiles.shape[2:], mode="bilinear").expand(-1, 3, -1, -1)


@pytest.fixture
def averaging(seeing: DepthProSR) -> Iterator[DepthProSR]:
    """The net with ViTs that only look, and with convolutions that only take means."""
    parts = nn.ModuleList([seeing.encoder.neck, seeing.head])
    kept = {name: value.clone() for name, value in parts.state_dict().items()}
    for module in parts.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    yield seeing
    parts.load_state_dict(kept)


LEVELS = 5


@torch.no_grad()
@pytest.mark.parametrize("level", [*range(LEVELS), "picture"])
def test_the_head_leaves_what_it_is_given_where_it_is(
    averaging: DepthProSR, level: int | str
) -> None:
    """One level at a time, as a cell of the finest is a sixteenth of one of the coarsest."""

    def only(_: nn.Module, given: tuple[list[Tensor], Tensor]) -> tuple[list[Tensor], Tensor]:
        features, enlarged = given
        assert len(features) == LEVELS
        kept = [plane * (n == level) for n, plane in enumerate(features)]
        return kept, enlarged * (level == "picture")

    def residual(x: Tensor) -> Tensor:
        return averaging(x) - averaging.enlarge(x)

    # Clear of the ends of all four tiles: what goes over one would come back at the other.
    height, width, y, x = 290, 330, 138.0, 160.0
    # From grey up, nothing is negative that the ReLUs would cut off.
    grey = torch.full((1, 3, height, width), 0.5)
    with averaging.head.register_forward_pre_hook(only):
        change = residual(grey + 0.5 * blob(height, width, y, x, sigma=16.0)) - residual(grey)
    found = centre(change[0].mean(0), 1.0)
    # A cell is 32 to 2 pixels wide.
    assert abs(found[0] - 2 * y) < 0.5
    assert abs(found[1] - 2 * x) < 0.5


@pytest.mark.parametrize("length", [512, 513, 700, 1024, 1500, 2049])
def test_tiles_cover_and_overlap(length: int) -> None:
    begins = starts(length, TILE)
    assert begins[0] == 0
    assert begins[-1] + TILE == length
    assert all(b - a <= TILE * 3 // 4 for a, b in itertools.pairwise(begins))


def test_fades_are_symmetric_and_never_zero() -> None:
    weights = fade(TILE)
    assert torch.equal(weights, weights.flip(0))
    assert float(weights.min()) > 0.0
    assert float(weights[TILE // 4]) == 1.0


@torch.no_grad()
def test_a_picture_smaller_than_a_tile(net: DepthProSR) -> None:
    assert net(picture(1, 3)).shape == (1, 3, 2, 6)


def test_weights_that_cannot_be_had_are_said(
    net: DepthProSR, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The environment is read once, by whichever test first imports it.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelMissing, match=r"cannot be had.*leave out net\.pretrained"):
        load_pretrained(net.encoder, "nobody/nothing-here")


@torch.no_grad()
def test_published_weights_of_the_first_layers_are_taken(tmp_path: Any) -> None:
    from transformers import DepthProModel

    from hyperfocal.training.nets import depthpro_sr

    config = depthpro_sr.configuration(16, 6)
    torch.manual_seed(5)
    theirs = DepthProModel(config)
    theirs.save_pretrained(tmp_path)
    ours = DepthProSR(2, width=16, depth=LAYERS).encoder
    load_pretrained(ours, str(tmp_path))
    wanted = theirs.state_dict()
    assert all(torch.equal(value, wanted[key]) for key, value in ours.state_dict().items())


def test_published_weights_of_another_width_are_refused(tmp_path: Any) -> None:
    from transformers import DepthProModel

    from hyperfocal.training.nets import depthpro_sr

    DepthProModel(depthpro_sr.configuration(32, LAYERS)).save_pretrained(tmp_path)
    ours = DepthProSR(2, width=16, depth=LAYERS).encoder
    with pytest.raises(ModelMissing, match="do not fit"):
        load_pretrained(ours, str(tmp_path))


def test_position_codes_of_other_patches_keep_their_places() -> None:
    from hyperfocal.training.nets.depthpro_sr import _resized_positions

    rows = torch.linspace(0, 1, 24)
    grid = torch.stack(torch.meshgrid(rows, rows, indexing="ij"), dim=-1).reshape(1, 576, 2)
    codes = torch.cat([torch.full((1, 1, 2), 7.0), grid], dim=1)
    resized = _resized_positions(codes, 65)
    assert torch.equal(resized[:, 0], codes[:, 0])
    across = resized[0, 1:].reshape(8, 8, 2)
    assert torch.allclose(across[..., 0].mean(1), (torch.arange(8) + 0.5) / 8, atol=0.03)
    assert torch.allclose(across[..., 0], across[..., 1].T)
