"""The residual generator."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.models import ResNetGenerator
from mmgan_lite.models.layers import ClassBatchNorm2d


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_of_the_paper_for_32x32():
    # Linear 128 -> 256 of 4x4; three blocks of two 3x3, a 1x1 and two norms; norm and a 3x3 to RGB.
    start = 128 * 256 * 16 + 256 * 16
    block = 2 * (256 * 256 * 9 + 256) + 256 * 256 + 256 + 2 * 2 * 256
    last = 2 * 256 + 256 * 3 * 9 + 3
    generator = ResNetGenerator(image_shape=(3, 32, 32))
    assert count(generator) == start + 3 * block + last == 4_276_739


def test_the_paper_for_128x128():
    channels = (16, 16, 8, 4, 2, 1)  # a 64th of 1024, 1024, 512, 256, 128, 64
    generator = ResNetGenerator(8, (3, 128, 128), channels)
    assert [block.conv1.out_channels for block in generator.blocks] == [16, 8, 4, 2, 1]
    assert generator(torch.randn(2, 8)).shape == (2, 3, 128, 128)


def test_matches_the_formula_in_the_order_of_the_paper():
    generator = ResNetGenerator(3, (2, 8, 12), channels=(4, 5)).eval()
    latents = torch.randn(6, 3)
    first, block, last = generator.first[0], generator.blocks[0], generator.last[2]

    def norm(features, module):
        return F.batch_norm(
            features, module.running_mean, module.running_var, module.weight, module.bias
        )

    def upsample(features):
        return features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    features = (latents @ first.weight.T + first.bias).reshape(6, 4, 4, 6)
    residual = upsample(F.relu(norm(features, block.norm1)))
    residual = F.conv2d(residual, block.conv1.weight, block.conv1.bias, padding=1)
    residual = F.relu(norm(residual, block.norm2))
    residual = F.conv2d(residual, block.conv2.weight, block.conv2.bias, padding=1)
    shortcut = F.conv2d(upsample(features), block.shortcut.weight, block.shortcut.bias)
    features = F.relu(norm(residual + shortcut, generator.last[0]))
    images = F.conv2d(features, last.weight, last.bias, padding=1).tanh()
    torch.testing.assert_close(generator(latents), images)


def test_labels_enter_by_the_norm_of_the_blocks():
    generator = ResNetGenerator(8, (1, 16, 16), 4, num_classes=3)
    assert generator.conditioning == 'class_norm'
    norms = [m for m in generator.modules() if isinstance(m, ClassBatchNorm2d)]
    assert len(norms) == 2 * 2
    # Gains 1 and biases 0: the labels have no part yet.
    latents = torch.randn(1, 8)
    generator.eval()
    torch.testing.assert_close(
        generator(latents, torch.tensor([0])), generator(latents, torch.tensor([2]))
    )


def test_labels_enter_by_the_latents():
    generator = ResNetGenerator(8, (1, 16, 16), 4, num_classes=3, conditioning='embedding')
    assert generator.first[0].in_features == 8 + 3
    assert not [m for m in generator.modules() if isinstance(m, ClassBatchNorm2d)]
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 2 * 2 + 1


def test_bad_arguments_are_named():
    message = r'channels must be a positive int, or 3 of them, one for each stage, got \(8, 8\)'
    with pytest.raises(ValueError, match=message):
        ResNetGenerator(channels=(8, 8))
    with pytest.raises(ValueError, match=r"'class_norm', 'embedding', got 'projection'"):
        ResNetGenerator(num_classes=10, conditioning='projection')
