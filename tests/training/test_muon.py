from __future__ import annotations

import copy

import pytest
import torch

from hyperfocal.errors import SettingsError
from hyperfocal.training.experiment import Experiment
from hyperfocal.training.fit import fit
from hyperfocal.training.muon import Muon, orthogonalised
from hyperfocal.training.nets import build_net


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 6, 6)])
def test_a_step_keeps_the_directions_and_evens_their_sizes(shape):
    torch.manual_seed(1)
    matrices = torch.randn(shape)
    made = orthogonalised(matrices)
    assert made.shape == shape
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    exact = u @ vh
    alike = (made * exact).sum((1, 2)) / (made.norm(dim=(1, 2)) * exact.norm(dim=(1, 2)))
    assert alike.min() > 0.97


def test_a_gradient_of_zero_moves_nothing():
    kernel = torch.nn.Parameter(torch.ones(4, 2, 3, 3))
    optimiser = Muon([{"params": [kernel], "kernels": True}], lr=0.1)
    kernel.grad = torch.zeros_like(kernel)
    optimiser.step()
    assert torch.equal(kernel, torch.ones_like(kernel))


def _steps(optimiser, parameters, count=5):
    random = torch.Generator().manual_seed(2)
    for _ in range(count):
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=random)
        optimiser.step()


def test_what_is_no_kernel_is_moved_as_by_adam():
    torch.manual_seed(3)
    ours = [torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(7))]
    theirs = copy.deepcopy(ours)
    _steps(Muon([{"params": ours}], lr=0.01, betas=(0.8, 0.95)), ours)
    _steps(torch.optim.Adam(theirs, lr=0.01, betas=(0.8, 0.95)), theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon of its own")
def test_kernels_are_moved_as_by_the_muon_of_torch():
    torch.manual_seed(4)
    ours = [torch.nn.Parameter(torch.randn(6, 4, 3, 3)) for _ in range(3)]
    theirs = [torch.nn.Parameter(one.detach().flatten(1).clone()) for one in ours]
    _steps(Muon([{"params": ours, "kernels": True}], lr=0.01, weight_decay=0.1), ours)
    random = torch.Generator().manual_seed(2)
    reference = torch.optim.Muon(theirs, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(5):
        for parameter in theirs:
            parameter.grad = torch.randn((6, 4, 3, 3), generator=random).flatten(1)
        reference.step()
    # Theirs computes the direction in bfloat16.
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.flatten(1), b, rtol=0.0, atol=2e-3)


def test_a_stored_state_goes_on_as_if_nothing_had_been(tmp_path):
    def groups(kernel, bias):
        return [{"params": [kernel], "kernels": True}, {"params": [bias]}]

    torch.manual_seed(5)
    straight = [torch.nn.Parameter(torch.randn(4, 4, 3, 3)), torch.nn.Parameter(torch.randn(4))]
    broken = copy.deepcopy(straight)
    one = Muon(groups(*straight), lr=0.01)
    _steps(one, straight, 3)
    _steps(one, straight, 3)
    first = Muon(groups(*broken), lr=0.01)
    _steps(first, broken, 3)
    torch.save(first.state_dict(), tmp_path / "state")
    second = Muon(groups(*broken), lr=0.01)
    second.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    _steps(second, broken, 3)
    for a, b in zip(straight, broken, strict=True):
        assert torch.equal(a, b)


def test_inner_kernels_alone_are_orthogonalised(experiment_file):
    from hyperfocal.training.module import Restoration

    text = experiment_file.read_text().replace("depth = 1", "depth = 2")
    experiment_file.write_text(text.replace("rate =", 'optimizer = "muon"\nrate ='))
    experiment = Experiment.read(experiment_file)
    net = build_net(experiment)
    optimiser = Restoration(experiment, net).configure_optimizers()
    kernels = [group for group in optimiser.param_groups if group["kernels"]]
    assert [id(p) for p in kernels[0]["params"]] == [id(layer.direct) for layer in net.body]
    everything = [id(p) for group in optimiser.param_groups for p in group["params"]]
    assert sorted(everything) == sorted(id(p) for p in net.parameters())


def test_a_training_with_muon_learns(experiment_file, tmp_path):
    torch.set_num_threads(1)
    text = experiment_file.read_text().replace("steps = 250", "steps = 125")
    found = {}
    for optimizer, expand in (("adam", 4), ("muon", 0)):
        changed = text.replace("rate =", f'optimizer = "{optimizer}"\nrate =')
        experiment_file.write_text(changed.replace("expand = 4", f"expand = {expand}"))
        out = tmp_path / optimizer
        trained = fit(Experiment.read(experiment_file), out, progress=False, tracking=False)
        found[optimizer] = trained.best_psnr
    assert found["muon"] > found["adam"] - 0.1


def test_it_is_for_plain_nets(experiment_file):
    text = experiment_file.read_text().replace("rate =", 'optimizer = "muon"\nrate =')
    experiment_file.write_text(text.replace("[net]", '[net]\nname = "depthpro-sr"'))
    with pytest.raises(SettingsError, match="muon"):
        Experiment.read(experiment_file)
