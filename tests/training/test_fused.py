"""A convolution and its activation in one operation: as the two that it stands for."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from hyperfocal.training.nets import fused  # noqa: E402
from hyperfocal.training.nets.fused import conv_hardtanh  # noqa: E402

# By whether it is bfloat16.
_TOLERANCE = {True: {"rtol": 2e-2, "atol": 2e-2}, False: {"rtol": 1e-5, "atol": 1e-5}}


def _inputs(side: int = 3):
    generator = torch.Generator().manual_seed(3)
    shapes = (2, 5, 13, 9), (7, 5, side, side), (7,)
    return [torch.randn(*shape, generator=generator).requires_grad_() for shape in shapes]


def _apart(x, kernel, bias, padding, ceiling):
    y = F.conv2d(x, kernel, bias, padding=padding)
    return F.relu(y) if ceiling == math.inf else F.hardtanh(y, 0.0, ceiling)


# bfloat16 has 2.0, and rounds 2.3456 down and 2.355 up.
@pytest.mark.parametrize("ceiling", [math.inf, 2.0, 2.3456, 2.355])
@pytest.mark.parametrize(("side", "padding"), [(3, 1), (5, 0), (1, 0)])
@pytest.mark.parametrize("mixed", [False, True])
def test_values_and_gradients_are_those_of_the_two(mixed, side, padding, ceiling):
    x, kernel, bias = _inputs(side)
    dtype = torch.bfloat16 if mixed else torch.float32
    ending = float(torch.tensor(ceiling, dtype=dtype))
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        made = conv_hardtanh(x, kernel, bias, padding=padding, ceiling=ceiling)
        wanted = _apart(x, kernel, bias, padding, ending)
    assert made.dtype == dtype
    torch.testing.assert_close(made, wanted, **_TOLERANCE[mixed])
    assert float(made.detach().max()) <= ending
    ahead = torch.randn(made.shape, generator=torch.Generator().manual_seed(4)).to(made.dtype)
    ours, theirs = (torch.autograd.grad(y, (x, kernel, bias), ahead) for y in (made, wanted))
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == torch.float32
        # In bfloat16 a value within a rounding of a limit may count on either side of it.
        apart = (one - other).norm() / other.norm()
        assert float(apart) < (2e-2 if mixed else 1e-5)


def _clipped(ceiling: float) -> bool:
    """Whether no gradient reaches the bias where every value is above ``ceiling``."""
    x = torch.ones(1, 3, 4, 4)
    kernel, bias = torch.zeros(2, 3, 3, 3), torch.full((2,), 9.0).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        conv_hardtanh(x, kernel, bias, padding=1, ceiling=ceiling).sum().backward()
    return bool((bias.grad == 0.0).all())


@pytest.mark.parametrize("ceiling", [2.0, 2.3456, 2.355, 2.36])
def test_a_ceiling_that_bfloat16_rounds_still_ends_the_gradient(ceiling):
    assert _clipped(ceiling)
    assert not _clipped(12.0)


def test_a_bias_may_lie_anywhere():
    x, kernel, _ = _inputs()
    bias = torch.arange(14.0)[::2]
    made = conv_hardtanh(x, kernel, bias, padding=1)
    torch.testing.assert_close(made, _apart(x, kernel, bias, 1, math.inf), rtol=1e-5, atol=1e-5)


def test_gradients_agree_with_finite_differences():
    x, kernel, bias = (one.detach().double() for one in _inputs())
    # In double there is nothing fused: the same formula by the slow way.
    kernel.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda k: conv_hardtanh(x, k, bias, padding=1, ceiling=2.0), (kernel,), atol=1e-4
    )


def test_what_needs_no_gradient_gets_none():
    x, kernel, bias = _inputs()
    x, bias = x.detach(), bias.detach()
    conv_hardtanh(x, kernel, bias, padding=1).sum().backward()
    assert kernel.grad is not None
    assert x.grad is None
    assert bias.grad is None


@pytest.mark.parametrize("mixed", [False, True])
def test_without_the_fused_operation_the_two_run(monkeypatch, mixed):
    x, kernel, bias = _inputs()
    with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
        together = conv_hardtanh(x, kernel, bias, padding=1, ceiling=2.0)
        monkeypatch.setattr(fused, "_fusable", lambda dtype: False)
        apart = conv_hardtanh(x, kernel, bias, padding=1, ceiling=2.0)
    assert apart.dtype == together.dtype
    torch.testing.assert_close(together, apart, **_TOLERANCE[mixed])


def test_a_processor_without_bfloat16_has_nothing_fused_for_it(monkeypatch):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    assert not fused._fusable(torch.bfloat16)
    x, kernel, bias = _inputs()
    with torch.autocast("cpu", torch.bfloat16):
        made = conv_hardtanh(x, kernel, bias, padding=1)
    assert made.dtype == torch.bfloat16


def test_a_result_may_be_used_twice():
    x, kernel, bias = _inputs()
    made = conv_hardtanh(x, kernel, bias, padding=1)
    wanted = _apart(x, kernel, bias, 1, math.inf)
    ours, theirs = (torch.autograd.grad((y * y + y).sum(), kernel)[0] for y in (made, wanted))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
