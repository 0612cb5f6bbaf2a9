"""Path lengths against their closed form on a generator whose Jacobian is known."""

import copy
import math

import pytest
import torch
from torch import nn

from mmgan_lite.models import PathLengthRegularizer, StyleGAN2Generator


class LinearGenerator(nn.Module):
    """Images ``sum_l A w_l`` of 2x2 pixels: the Jacobian with respect to each style is A."""

    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(4, 3))
        self.seen = []

    def mapping(self, latents, labels=None):
        self.seen.append((latents, labels))
        return latents[:, None].expand(-1, 5, -1)

    def synthesis(self, ws):
        return (ws.sum(1) @ self.matrix.T).reshape(-1, 1, 2, 2)


def call(regularizer, network, latents, labels=None):
    images = torch.zeros(len(latents), 1, 2, 2)
    return regularizer(network, images, images, labels, latents=latents)


def lengths_of(network, num):
    """``||A^T y||`` for the noise that the regularizer draws from the same seed."""
    noise = torch.randn(num, 1, 2, 2).flatten(1) / 2  # sqrt(2 * 2)
    return (noise @ network.matrix).square().sum(1).sqrt()


def test_matches_the_formula():
    network, regularizer = LinearGenerator(), PathLengthRegularizer(weight=3.0, decay=0.25)
    average = 0.0
    for seed in (1, 2):
        network.zero_grad()
        torch.manual_seed(seed)
        expected = lengths_of(network, 4)
        average += 0.25 * (expected.mean().item() - average)
        penalty = 3 * (expected - average).square().mean()
        (gradient,) = torch.autograd.grad(penalty, network.matrix)
        torch.manual_seed(seed)
        found = call(regularizer, network, torch.randn(0, 3).new_ones(8, 3))
        torch.testing.assert_close(found, penalty)
        found.backward()
        torch.testing.assert_close(network.matrix.grad, gradient)
        assert regularizer.mean_length.item() == pytest.approx(average)


def test_takes_the_first_half_of_the_batch():
    network, latents, labels = LinearGenerator(), torch.randn(7, 3), torch.arange(7)
    call(PathLengthRegularizer(), network, latents, labels)
    call(PathLengthRegularizer(batch_divisor=1), network, latents)
    call(PathLengthRegularizer(), network, latents[:1])
    (half, of_half), (whole, none), (one, _) = network.seen
    assert torch.equal(half, latents[:3])
    assert of_half.tolist() == [0, 1, 2]
    assert torch.equal(whole, latents)
    assert none is None
    assert len(one) == 1


def test_average_is_in_checkpoints_and_stays_in_eval_mode():
    network, regularizer = LinearGenerator(), PathLengthRegularizer()
    call(regularizer, network, torch.randn(4, 3))
    assert set(regularizer.state_dict()) == {'mean_length'}
    before = regularizer.mean_length.clone()
    assert before > 0
    call(regularizer.eval(), network, torch.randn(4, 3))
    assert torch.equal(regularizer.mean_length, before)


def test_value_without_gradient_is_the_same():
    network, regularizer = LinearGenerator(), PathLengthRegularizer().eval()
    torch.manual_seed(1)
    with torch.no_grad():
        found = call(regularizer, network, torch.randn(4, 3))
    torch.manual_seed(1)
    torch.testing.assert_close(found, call(regularizer, network, torch.randn(4, 3)).detach())


def test_length_of_0_has_a_finite_gradient():
    network = LinearGenerator()
    nn.init.zeros_(network.matrix)
    penalty = call(PathLengthRegularizer(), network, torch.randn(4, 3))
    penalty.backward()
    assert penalty == 0
    assert network.matrix.grad.isfinite().all()


@pytest.mark.parametrize('num_classes', [None, 3])
def test_reaches_all_of_stylegan2_but_what_moves_no_style(num_classes):
    network = StyleGAN2Generator(
        4, (3, 8, 8), style_dim=6, channel_max=6, num_mapping_layers=2, num_classes=num_classes
    )
    regularizer = PathLengthRegularizer()
    latents, images = torch.randn(4, 4), torch.zeros(4, 3, 8, 8)
    labels = None if num_classes is None else torch.tensor([0, 1, 2, 0])
    penalty = regularizer(network, images, images, labels, latents=latents)
    assert penalty.dtype == torch.float32
    penalty.backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # The image is linear in the biases of its own; the last style has no other.
    assert all(name.endswith('to_image.bias') for name in without)


def test_gradient_matches_finite_differences():
    network = StyleGAN2Generator(
        4, (1, 8, 8), style_dim=6, channel_max=6, num_mapping_layers=1, style_mixing=0.0
    ).double()
    regularizer = PathLengthRegularizer(batch_divisor=1).eval()
    latents, images = torch.randn(3, 4).double(), torch.zeros(3, 1, 8, 8)
    network.eval()

    def penalty(network):
        torch.manual_seed(1)
        return regularizer(network, images, images, latents=latents)

    value = penalty(network)
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(value, parameters, allow_unused=True)
    directions = [torch.randn_like(p) for p in parameters]
    expected = sum(
        (g * d).sum() for g, d in zip(gradients, directions, strict=True) if g is not None
    )
    values = []
    for step in (1e-6, -1e-6):
        moved = copy.deepcopy(network)
        with torch.no_grad():
            for parameter, direction in zip(moved.parameters(), directions, strict=True):
                parameter += step * direction
        values.append(penalty(moved).item())
    assert math.isclose((values[0] - values[1]) / 2e-6, expected.item(), rel_tol=1e-4)


def test_needs_styles(make_gan):
    message = r'PathLengthRegularizer needs a generator with mapping\(latents, labels\) and synthe'
    with pytest.raises(ValueError, match=message):
        make_gan(regularizers=[dict(type='PathLengthRegularizer')])


def test_needs_latents():
    images = torch.zeros(2, 1, 2, 2)
    with pytest.raises(ValueError, match=r'needs the latents of the fakes, got None'):
        PathLengthRegularizer()(LinearGenerator(), images, images)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(decay=1.5), r'decay must be a number in \[0, 1\], got 1.5'),
        (dict(batch_divisor=0), r'batch_divisor must be an int of at least 1, got 0'),
    ],
)
def test_bad_arguments_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        PathLengthRegularizer(**settings)
