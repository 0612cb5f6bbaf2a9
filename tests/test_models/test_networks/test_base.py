"""The base classes of networks."""

import pytest
import torch
from torch import nn

from mmgan_lite.models.networks.base import ImageNetwork, LatentGenerator


def test_arguments_are_checked_and_kept():
    network = ImageNetwork([3, 8, 8], 10)
    assert (network.image_shape, network.num_classes) == ((3, 8, 8), 10)
    with pytest.raises(ValueError, match=r'num_classes must be'):
        ImageNetwork((3, 8, 8), 1)
    with pytest.raises(ValueError, match=r'image_shape must be'):
        ImageNetwork((3, 8), None)


def test_generator_appends_the_vector_of_the_label():
    generator = LatentGenerator(2, (1, 4, 4), num_classes=3, embedding_dim=5)
    generator.layers = nn.Identity()
    latents, labels = torch.randn(4, 2), torch.tensor([0, 2, 1, 1])
    expected = torch.cat([latents, generator.label_embedding.weight[labels]], 1)
    torch.testing.assert_close(generator(latents, labels), expected)
