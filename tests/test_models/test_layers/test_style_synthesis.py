"""From styles to images."""

import torch

from mmgan_lite.models.layers import FilteredUpsample, StyleSynthesis
from mmgan_lite.models.layers.style_synthesis import make_levels


def small(side=16, **settings):
    levels = make_levels((3, side, side), 128, 8, 0, 'bfloat16')
    return StyleSynthesis(levels, image_channels=3, style_dim=6, **settings)


def test_channels_and_precision_of_each_size():
    levels = make_levels((1, 32, 32), 256, 24, 2, 'float16')
    assert [tuple(level) for level in levels] == [
        (4, 24, None),
        (8, 24, None),
        (16, 16, torch.float16),
        (32, 8, torch.float16),
    ]


@torch.no_grad()
def test_residual_generator_adds_the_features_of_the_size_below():
    network = small(8, architecture='resnet').eval()
    blocks = network.blocks
    ws = torch.randn(2, 4, 6)
    below = blocks['4'].conv1(blocks['4'].constant.expand(2, -1, -1, -1), ws[:, 0], 'const')
    features = blocks['8'].conv0(below, ws[:, 1], 'const')
    features = blocks['8'].conv1(features, ws[:, 2], 'const')  # with its half of the variance
    past = torch.einsum('oi,nihw->nohw', blocks['8'].skip[0].weight[:, :, 0, 0] / 8**0.5, below)
    features = features + FilteredUpsample()(past) * 0.5**0.5
    expected = blocks['8'].to_image(features, ws[:, 3])
    torch.testing.assert_close(network(ws), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_plain_generator_is_that_without_the_images_below():
    """'orig' is 'skip' whose images of 4x4 and 8x8 pixels are 0."""
    plain, skip = small(architecture='orig').eval(), small().eval()
    skip.load_state_dict(plain.state_dict(), strict=False)
    for side in ('4', '8'):
        torch.nn.init.zeros_(skip.blocks[side].to_image.conv.weight)
        assert plain.blocks[side].to_image is None
    ws = torch.randn(2, 6, 6)
    torch.testing.assert_close(plain(ws), skip(ws))


@torch.no_grad()
def test_noise_of_each_mode():
    network = small()
    for name, parameter in network.named_parameters():
        if name.endswith('noise_strength'):
            torch.nn.init.constant_(parameter, 1.0)
    ws = torch.randn(2, network.num_ws, 6)

    def repeats(**noise):
        return torch.equal(network(ws, **noise), network(ws, **noise))

    assert not repeats()  # in training mode
    assert not repeats(noise='random')
    assert repeats(noise='const')
    assert repeats(noise='none')
    network.eval()
    assert torch.equal(network(ws), network(ws, noise='const'))
    assert not torch.equal(network(ws), network(ws, noise='none'))
    network.noise = 'none'
    assert torch.equal(network(ws), network(ws, noise='none'))
