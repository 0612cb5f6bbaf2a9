"""What residual networks have in common; test_resnet compares the blocks with the papers."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.networks.residual import ResidualDiscriminator, ResidualGenerator
from mmgan_lite.models.networks.residual import ResidualUpBlock as UpBlock


class Recorder(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.channels, self.seen = channels, []

    def forward(self, features, condition):
        self.seen.append(condition)
        return features


def test_each_block_gets_its_condition():
    generator = ResidualGenerator(3, (1, 16, 16), num_classes=None, embedding_dim=None)
    generator.build(3, (6, 5, 4), Recorder)
    first, second = torch.zeros(1), torch.ones(1)
    assert generator.images(torch.randn(2, 3), [first, second]).shape == (2, 1, 16, 16)
    norms = [m for m in generator.modules() if isinstance(m, Recorder)]
    assert [norm.channels for norm in norms] == [6, 5, 5, 4]
    assert [norm.seen[0] is first for norm in norms] == [True, True, False, False]


def test_plain_batch_norm_takes_no_condition():
    assert UpBlock(2, 3, nn.BatchNorm2d)(torch.randn(2, 2, 4, 4), None).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(('wide', 'inner'), [(False, 4), (True, 6)])
def test_width_inside_a_block_of_the_discriminator(wide, inner):
    kind = type('Kind', (ResidualDiscriminator,), dict(wide=wide))
    network = kind((1, 8, 8), (4, 6), 1, None)
    widths = [m.out_channels for m in network.blocks[1].residual if isinstance(m, nn.Conv2d)]
    assert widths == [inner, 6]
