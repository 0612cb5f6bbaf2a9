"""The generator of R3GAN."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import R3GANGenerator
from mmgan_lite.models.layers import FilteredUpsample, R3GANBlock


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count():
    # A block: 1x1 to twice the channels, grouped 3x3 on 16 channels a group, 1x1 back; two biases.
    block = 256 * 512 + 512 + 512 * 16 * 9 + 512 + 512 * 256
    basis = 256 * 7 * 7 + 64 * 256
    assert count(R3GANGenerator()) == basis + 6 * block + 256 == 2_050_560
    # With labels: ten vectors of 64, and 64 more inputs.
    assert count(R3GANGenerator(num_classes=10)) == 2_050_560 + 10 * 64 + 64 * 256


def test_stages_of_other_widths():
    """A 1x1 before the upsampling where the channels change, and none where they do not."""
    network = R3GANGenerator(8, (3, 32, 32), (16, 16, 8, 4), (1, 2, 1, 1), (8, 8, 4, 2))
    kinds = [type(layer) for layer in network.layers]
    block, up, convolution = R3GANBlock, FilteredUpsample, nn.Conv2d
    first, rest = [block, up, block, block], [convolution, up, block]
    assert kinds == [*first, *rest, *rest, convolution]
    blocks = [layer for layer in network.layers if isinstance(layer, block)]
    assert [b.layers[2].groups for b in blocks] == [8, 8, 8, 4, 2]
    convolutions = [layer for layer in network.layers if isinstance(layer, convolution)]
    assert [tuple(c.weight.shape) for c in convolutions] == [
        (8, 16, 1, 1),
        (4, 8, 1, 1),
        (3, 4, 1, 1),
    ]
    assert not any(c.bias is not None for c in convolutions)


def test_start_is_the_basis_times_the_coefficients():
    network = R3GANGenerator(4, (1, 28, 20), 8, 1, 4, num_classes=3, embedding_dim=5)
    assert network.basis.shape == (8, 7, 5)
    latents, labels = torch.randn(2, 4), torch.tensor([2, 0])
    seen = []
    network.layers[0].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    network(latents, labels)
    joined = torch.cat([latents, network.label_embedding.weight[labels]], 1)
    expected = torch.einsum('nz,cz,chw->nchw', joined, network.coefficients.weight, network.basis)
    torch.testing.assert_close(seen[0], expected)


@torch.no_grad()
@pytest.mark.parametrize('shape', [(3, 28, 28), (3, 32, 32), (3, 64, 64)])
def test_variance_at_every_depth(shape):
    """Near 1 at first. A block is the identity, and a 1x1 keeps the variance; upsampling takes
    what the filter does of a noise that differs from pixel to pixel, most of it the first time.
    """
    network = R3GANGenerator(64, shape, channels=32, blocks_per_stage=1, cardinality=8)
    variances = []
    for layer in network.layers:
        layer.register_forward_hook(lambda m, args, out: variances.append(out.var().item()))
    network(torch.randn(128, 64))
    assert variances[0] == pytest.approx(1, abs=0.3)
    assert all(0.2 < variance < 1.5 for variance in variances)


@torch.no_grad()
def test_variance_stays_where_blocks_are_no_longer_the_identity():
    """With a last weight as large as the others', the sum of all blocks stays of the order of 1."""
    network = R3GANGenerator(64, (3, 32, 32), channels=64, blocks_per_stage=2, cardinality=8)
    blocks = [layer for layer in network.layers if isinstance(layer, R3GANBlock)]
    assert len(blocks) == 8
    for block in blocks:
        nn.init.normal_(block.layers[-1].weight, std=128**-0.5)
    variances = []
    for block in blocks:
        block.register_forward_hook(lambda m, args, out: variances.append(out.var().item()))
    network(torch.randn(64, 64))
    assert all(0.2 < variance < 2 for variance in variances)


def test_has_no_tanh():
    network = R3GANGenerator(8, (1, 8, 8), 8, 1, 4)
    assert network(100 * torch.randn(16, 8)).abs().max() > 1


def test_bad_arguments_are_named():
    message = r'cardinality must divide expansion \* channels, got 32 for 2 \* 24 = 48. Pass card'
    with pytest.raises(ValueError, match=message):
        R3GANGenerator(channels=24)
    with pytest.raises(ValueError, match=r'blocks_per_stage must be a positive int, or 3 of them'):
        R3GANGenerator(blocks_per_stage=(1, 2))
    with pytest.raises(ValueError, match=r'expansion must be an int of at least 1, got 0'):
        R3GANGenerator(expansion=0)
    with pytest.raises(ValueError, match=r'embedding_dim must be an int of at least 1, got 0'):
        R3GANGenerator(embedding_dim=0)
