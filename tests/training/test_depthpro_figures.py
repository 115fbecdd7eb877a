"""What docs/training.md says about the size and the times of the Depth Pro net."""

from __future__ import annotations

import json
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("transformers")

from hyperfocal.models.hardware import processor

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "benchmarks")]

import training_page  # noqa: E402
from depthpro import INT8, again, count, make, tiles  # noqa: E402

WIDTH, DEPTH = 1024, 4


def read(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / name).read_text(encoding="utf-8"))


def vit(width: int, depth: int, token: int = 16, patch: int = 128) -> int:
    """Parameters of a DINOv2: attention and MLP with biases, two norms and scales a layer."""
    layer = (
        (4 * width * width + 4 * width) + (8 * width * width + 5 * width) + 4 * width + 2 * width
    )
    codes = ((patch // token) ** 2 + 1) * width
    return depth * layer + (3 * token * token + 1) * width + codes + width + 2 * width


def test_parts_are_those_of_the_net_that_was_measured() -> None:
    parts = count(WIDTH, DEPTH)
    assert {"parameters": parts, "tiles": tiles()} == read("depthpro-parts.json")
    here = sum(size for name, size in parts.items() if not name.startswith("absent_"))
    for row in read("depthpro.json"):
        assert (row["width"], row["depth"], row["parameters"]) == (WIDTH, DEPTH, here)


def test_parts_are_as_large_as_their_layers() -> None:
    parts = count(WIDTH, DEPTH)
    assert parts["encoders"] == 2 * vit(WIDTH, DEPTH)
    # The third ViT, a linear layer after it, and convolutions of under a million.
    rest = parts["absent_field_of_view"] - vit(WIDTH, DEPTH) - (WIDTH + 1) * WIDTH // 8
    assert 0 < rest < 1_000_000
    features = WIDTH // 4
    residual = 2 * (9 * features * features + features)
    # Five levels: a projection and two residuals each, all but one a transposed convolution of
    # 2x2 without bias.
    levels = 5 * (features * features + features + 2 * residual)
    assert parts["absent_fusion"] == levels + 4 * 4 * features * features


def row(**changes: Any) -> dict[str, Any]:
    usual = {"form": INT8, "made_apart": True, "threads": 2, "runs": 1, "processor": "A Chip 5"}
    return usual | changes


@pytest.mark.parametrize(
    ("runs", "said"), [([1, 1], "a single run each"), ([5, 5], "medians of 5 runs")]
)
def test_the_page_says_how_often_was_measured_and_on_what(runs: list[int], said: str) -> None:
    told = training_page._runs([row(runs=number) for number in runs])
    assert said in told
    assert "2 threads of A Chip 5." in told
    assert "not kept" in training_page._runs([row(processor=None)])


@pytest.mark.parametrize(
    ("form", "apart", "said"), [(INT8, False, True), (INT8, True, False), ("float32", False, False)]
)
def test_the_page_says_where_the_memory_of_int8_is_not_its_own(
    form: str, apart: bool, said: bool
) -> None:
    told = " ".join(training_page._runs([row(form=form, made_apart=apart)]).split())
    assert ("cannot show what int8 saves" in told) == said


@pytest.mark.filterwarnings("ignore")
def test_int8_is_measured_by_a_process_that_has_no_float_net(tmp_path: Path) -> None:
    file = tmp_path / "net.pt"
    make(INT8, 64, 1, file)
    net, parameters = torch.load(file, weights_only=False)
    assert not [module for module in net.modules() if type(module) is torch.nn.Linear]
    here = {name: n for name, n in count(64, 1).items() if not name.startswith("absent_")}
    assert parameters == sum(here.values())
    given = Namespace(width=64, depth=1, runs=1, threads=1)
    found = json.loads(again(given, "--form", INT8, "--measure", str(file)))
    assert found.keys() | {"form", "width", "depth"} == read("depthpro.json")[0].keys()
    assert found["made_apart"]
    assert found["processor"] == processor().name


def test_the_page_says_how_many_tiles_there_are() -> None:
    assert tiles() == 9, "they begin at 0, 256 and 512 of 1024 pixels"
    assert "sees 9, which overlap," in " ".join(training_page._cost().split())


def test_the_figures_on_the_page_add_up() -> None:
    text = " ".join(training_page._cost().split())
    found = re.search(
        r"Of the ([\d.]+) M .* ([\d.]+) M are in the two ViTs, ([\d.]+) M .* and ([\d.]+) M in the"
        r" head.*stage of ([\d.]+) M .*head of ([\d.]+) M: ([\d.]+) M; .*\(([\d.]+) M\).* ([\d.]+)"
        r" M\. The published (\d+) M",
        text,
    )
    assert found is not None
    total, vits, neck, head, fusion, depth_head, bare, view, whole, published = map(
        float, found.groups()
    )
    assert total == pytest.approx(vits + neck + head, abs=0.2)
    assert bare == pytest.approx(vits + neck + fusion + depth_head, abs=0.25)
    assert whole == pytest.approx(bare + view, abs=0.15)
    assert bare < published < whole
