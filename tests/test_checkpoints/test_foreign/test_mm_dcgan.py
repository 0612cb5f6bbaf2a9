import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.checkpoints.foreign import mm_dcgan


def test_larger_generator(made_by, zeros):
    """64x64 and one channel: three doublings between the first and the last."""
    widths = [32, 16, 8, 4]
    state = zeros(noise2feat__conv__weight=(7, 32, 4, 4), output_layer__conv__weight=(4, 1, 4, 4))
    state |= zeros(output_layer__conv__bias=(1,))
    for place, before, width in zip(
        ('noise2feat', 'upsampling.0', 'upsampling.1', 'upsampling.2'),
        [7, *widths],
        widths,
        strict=False,
    ):
        state[f'{place}.conv.weight'] = torch.zeros(before, width, 4, 4)
        norm = nn.BatchNorm2d(width).state_dict()
        state |= {f'{place}.bn.{name}': tensor for name, tensor in norm.items()}
    settings, _ = made_by(mm_dcgan.generator, state)
    assert settings == dict(
        type='DCGANGenerator', latent_dim=7, image_shape=(1, 64, 64), base_channels=4
    )


@torch.no_grad()
def test_discriminator_without_norm_and_with_another_slope(made_by):
    """Its forward pass by hand."""
    state = {
        'downsamples.0.conv.weight': torch.randn(4, 3, 4, 4),
        'downsamples.0.conv.bias': torch.randn(4),
        'downsamples.1.conv.weight': torch.randn(8, 4, 4, 4),
        'downsamples.1.conv.bias': torch.randn(8),
        'output_layer.conv.weight': torch.randn(1, 8, 4, 4),
        'output_layer.conv.bias': torch.randn(1),
    }
    given = dict(default_act_cfg=dict(type='LeakyReLU', negative_slope=0.2))
    images = features = torch.randn(2, 3, 16, 16)
    for index in range(2):
        weight, bias = (state[f'downsamples.{index}.conv.{n}'] for n in ('weight', 'bias'))
        features = F.leaky_relu(F.conv2d(features, weight, bias, 2, 1), 0.2)
    weight, bias = (state[f'output_layer.conv.{n}'] for n in ('weight', 'bias'))
    expected = F.conv2d(features, weight, bias).flatten()
    settings, network = made_by(mm_dcgan.discriminator, state, (3, 16, 16), given=given)
    assert settings['norm'] is False
    torch.testing.assert_close(network(images), expected)
