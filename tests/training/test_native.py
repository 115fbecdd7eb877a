"""The body of a plain net on AMX tiles: as convolutions and activations one after the other."""

from __future__ import annotations

import math
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from hyperfocal.models import hardware  # noqa: E402
from hyperfocal.training.nets import native  # noqa: E402
from hyperfocal.training.nets.native import kept_library  # noqa: E402
from hyperfocal.training.nets.plain import PlainNet  # noqa: E402

tiles = pytest.mark.skipif(
    native.compiled() is None, reason="no AMX tiles, or no compiler for them"
)
linux = pytest.mark.skipif(platform.system() != "Linux", reason="only Linux is asked for tiles")

# Pictures, rows, columns, channels, layers.
SHAPES = [
    (3, 33, 40, 48, 3),
    (2, 40, 48, 32, 2),
    (5, 12, 31, 16, 2),
    (2, 30, 130, 64, 2),
    (1, 48, 48, 80, 1),
    (2, 1, 1, 32, 2),
    (2, 62, 2, 48, 2),
    (1, 7, 62, 16, 1),
    # Several pictures to a group, and channels by threes and by twos.
    (13, 9, 11, 48, 2),
    (2, 7, 20, 128, 1),
]


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def inputs(images, height, width, channels, layers):
    generator = torch.Generator().manual_seed(7)

    def normal(*shape):
        return torch.randn(*shape, generator=generator)

    x = normal(images, channels, height, width).abs().bfloat16()
    kernels = normal(layers, channels, channels, 3, 3) * (0.4 / math.sqrt(channels))
    biases = normal(layers, channels) * 0.1
    ahead = normal(images, channels, height, width).bfloat16()
    return x.requires_grad_(), kernels.requires_grad_(), biases.requires_grad_(), ahead


def one_by_one(x, kernels, biases, ceilings):
    """The same in float32, but for what tiles take in and give out, which is bfloat16."""
    for kernel, bias, ceiling in zip(kernels, biases, ceilings, strict=True):
        sums = F.conv2d(x.float(), kernel.bfloat16().float(), bias, padding=1)
        x = F.hardtanh(sums.bfloat16(), 0.0, ceiling)
    return x


def apart(one, other):
    return float((one - other).float().norm() / other.float().norm().clamp_min(1e-6))


@tiles
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ceiling", [math.inf, 1.5])
def test_values_and_gradients_are_those_of_the_layers(shape, ceiling, two_threads):
    x, kernels, biases, ahead = inputs(*shape)
    layers = shape[-1]
    assert native.usable(x)
    made = native.body(x, kernels, biases, (math.inf, *[ceiling] * layers))
    wanted = one_by_one(x, kernels, biases, [ceiling] * layers)
    assert made.dtype == torch.bfloat16
    assert apart(made.detach(), wanted.detach()) < 3e-3
    assert float(made.detach().max()) <= ceiling
    ours, theirs = (torch.autograd.grad(y, (x, kernels, biases), ahead) for y in (made, wanted))
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        # A value within a rounding of a limit may count on either side of it.
        assert apart(one, other) < 3e-2


@tiles
def test_one_layer_without_limits_is_exactly_its_sums(two_threads):
    """Small whole numbers, which bfloat16 and every order of summing hold exactly."""
    generator = torch.Generator().manual_seed(1)

    def whole(least, most, *shape):
        return torch.randint(least, most, shape, generator=generator).float()

    x = whole(0, 3, 2, 48, 9, 11).bfloat16().requires_grad_()
    kernels = whole(-1, 2, 1, 48, 48, 3, 3).requires_grad_()
    # So high that nothing is cut off below; sums up to 256 are exact.
    biases = torch.full((1, 48), 128.0).requires_grad_()
    ahead = whole(-1, 2, 2, 48, 9, 11).bfloat16()
    made = native.body(x, kernels, biases, (math.inf, math.inf))
    wanted = F.conv2d(x.float(), kernels[0], biases[0], padding=1)
    assert float(wanted.detach().min()) > 0.0
    inside = wanted.detach() <= 256.0
    assert bool(inside.float().mean() > 0.99)
    torch.testing.assert_close(made.float()[inside], wanted[inside], rtol=0, atol=0)
    ours, theirs = (
        torch.autograd.grad(y, (x, kernels, biases), ahead.to(y.dtype)) for y in (made, wanted)
    )
    torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=0)
    torch.testing.assert_close(ours[2], theirs[2], rtol=0, atol=0)
    torch.testing.assert_close(ours[0].float(), theirs[0].float(), rtol=0, atol=0)


@tiles
@pytest.mark.parametrize("ceiling", [2.0, 2.3456, 2.355])
def test_a_value_at_its_ceiling_has_no_gradient(ceiling):
    x = torch.ones(1, 16, 4, 4).bfloat16().requires_grad_()
    kernels, biases = torch.zeros(1, 16, 16, 3, 3), torch.full((1, 16), 9.0).requires_grad_()
    native.body(x, kernels, biases, (math.inf, ceiling)).sum().backward()
    assert bool((biases.grad == 0.0).all())


@tiles
def test_a_second_forward_leaves_the_first_ones_gradient_alone():
    x, kernels, biases, ahead = inputs(2, 20, 20, 32, 2)
    other = (x.detach() * 0.5).requires_grad_()
    ceilings = (math.inf,) * 3
    (alone,) = torch.autograd.grad(native.body(x, kernels, biases, ceilings), kernels, ahead)
    first = native.body(x, kernels, biases, ceilings)
    second = native.body(other, kernels, biases, ceilings)
    (among,) = torch.autograd.grad(first, kernels, ahead)
    torch.testing.assert_close(among, alone, rtol=0, atol=0)
    assert apart(torch.autograd.grad(second, kernels, ahead)[0], alone) > 0.1


@tiles
def test_the_same_again_is_the_same_to_the_bit(two_threads):
    x, kernels, biases, ahead = inputs(3, 33, 40, 48, 3)
    made = [native.body(x, kernels, biases, (math.inf,) * 4) for _ in range(2)]
    one, two = (torch.autograd.grad(y, (x, kernels, biases), ahead) for y in made)
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0)


@tiles
def test_a_gradient_of_a_gradient_is_refused():
    x, kernels, biases, _ = inputs(1, 8, 8, 16, 1)
    made = native.body(x, kernels, biases, (math.inf,) * 2)
    (gradient,) = torch.autograd.grad((made * made).sum(), kernels, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        gradient.sum().backward()


NO_MEMORY = """
import resource, sys
import torch
from hyperfocal.training.nets import native

x = torch.ones(4, 64, 64, 64).bfloat16().requires_grad_()
kernels, biases = torch.zeros(64, 64, 64, 3, 3).requires_grad_(), torch.zeros(64, 64)
made = native.body(x, kernels, biases, (1.0,) * 65)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 30_000_000, -1))
try:
    made.sum().backward()
except MemoryError as error:
    print(error)
"""


@tiles
def test_want_of_memory_is_an_error_and_not_the_end_of_the_process():
    done = subprocess.run(
        [sys.executable, "-c", NO_MEMORY], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "no memory for the gradient of a training step\n"


def trained(net: PlainNet) -> list[torch.Tensor]:
    x = torch.rand(2, 3, 32, 36, generator=torch.Generator().manual_seed(2))
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        made = net(x)
    (made.float() ** 2).mean().backward()
    return [parameter.grad.clone() for parameter in net.parameters()]


@tiles
@pytest.mark.parametrize("ceiled", [False, True])
def test_a_net_has_the_gradients_it_has_without(monkeypatch, ceiled):
    torch.manual_seed(4)
    net = PlainNet(2, 32, 3, expand=0).to(memory_format=torch.channels_last)
    if ceiled:
        net.set_ceilings([1.0, 0.9, 0.8, 0.7])
    calls = []
    body = native.body
    monkeypatch.setattr(native, "body", lambda *given: calls.append(1) or body(*given))
    ours = trained(net)
    assert calls == [1]
    with native.switched(False):
        theirs = trained(net)
    assert calls == [1]
    for one, other in zip(ours, theirs, strict=True):
        assert apart(one, other) < 3e-2


@tiles
def test_it_is_for_training_in_bfloat16_on_the_cpu():
    x = torch.ones(1, 32, 8, 8).bfloat16()
    assert native.usable(x)
    assert not native.usable(x.float())
    assert not native.usable(torch.ones(1, 20, 8, 8).bfloat16())
    assert not native.usable(torch.ones(0, 32, 8, 8).bfloat16())
    with torch.no_grad():
        assert not native.usable(x)


@pytest.fixture
def anew(monkeypatch) -> Iterator[pytest.MonkeyPatch]:
    """As in a process that has not compiled anything yet."""
    native.compiled.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    native.compiled.cache_clear()


def with_flags(monkeypatch, change) -> None:
    flags = change(hardware.processor().flags | native._NEEDED)
    changed = replace(hardware.processor(), flags=flags)
    monkeypatch.setattr(native, "processor", lambda: changed)


def test_other_processors_do_without_and_ask_no_compiler(anew):
    with_flags(anew, lambda flags: flags - {"amx_bf16"})
    anew.setattr(native, "_compiler", lambda: pytest.fail("asked for a compiler"))
    assert native.compiled() is None


@tiles
def test_a_process_takes_what_another_one_has_compiled(anew):
    run = kept_library._run

    def no_compiling(words, **options):
        assert "-o" not in words
        return run(words, **options)

    anew.setattr(kept_library, "_run", no_compiling)
    assert native.compiled() is not None


@linux
def test_without_a_compiler_it_says_what_one_would_be_good_for(anew, caplog):
    with_flags(anew, lambda flags: flags)
    anew.setattr(shutil, "which", lambda command: None)
    with caplog.at_level("INFO"):
        assert native.compiled() is None
    assert "C++ compiler" in caplog.text


@linux
def test_a_garbled_name_of_a_compiler_is_told(anew, caplog):
    with_flags(anew, lambda flags: flags)
    anew.setenv("CXX", "g++ '-O2")
    assert native.compiled() is None
    assert "No closing quotation" in caplog.text


@linux
def test_what_a_compiler_complains_about_is_told_and_training_goes_on(anew, caplog, tmp_path):
    with_flags(anew, lambda flags: flags)
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho no such tiles >&2\nexit 1\n")
    compiler.chmod(0o755)
    anew.setenv("CXX", str(compiler))
    assert native.compiled() is None
    assert "cannot be compiled" in caplog.text
    assert "no such tiles" in caplog.text
    assert trained(PlainNet(2, 16, 1, expand=0))
