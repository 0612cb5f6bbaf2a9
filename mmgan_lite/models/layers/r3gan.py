"""The residual block of both networks of R3GAN.

Huang et al. 2024, The GAN is dead; long live the GAN! A Modern Baseline GAN, arXiv:2501.05441.
"""

import math

from torch import Tensor, nn

from mmgan_lite.models.layers.initialization import init_fan_in


class R3GANBlock(nn.Module):
    """Residual block without normalisation: 1x1, grouped 3x3, 1x1, LeakyReLU 0.2 between them.

    The variance stays as it is by the initialisation alone, after Zhang et al. 2019, Fixup
    Initialization, arXiv:1901.09321: the last weight is 0, so that a block starts as the identity,
    and the gain of the others falls with the depth of the network.

    Args:
        channels: Of what comes in and goes out, at least 1.
        expansion: Channels inside are as many times these, at least 1.
        cardinality: Groups of the 3x3 convolution; divides the channels inside.
        num_blocks: Blocks in the whole network, which its gain is set for.

    Example:
        >>> import torch
        >>> features = torch.randn(2, 8, 4, 4)
        >>> torch.equal(R3GANBlock(8, 2, 4, num_blocks=6)(features), features)
        True
    """

    def __init__(self, channels: int, expansion: int, cardinality: int, num_blocks: int) -> None:
        super().__init__()
        inner = expansion * channels
        if inner % cardinality:
            raise ValueError(
                f'cardinality must divide expansion * channels, got {cardinality} for '
                f'{expansion} * {channels} = {inner}. '
                f'Pass cardinality={math.gcd(cardinality, inner)}, or other channels.'
            )
        gain = math.sqrt(2 / (1 + 0.2**2)) * num_blocks**-0.25
        last = nn.Conv2d(inner, channels, 1, bias=False)
        nn.init.zeros_(last.weight)
        self.layers = nn.Sequential(
            init_fan_in(nn.Conv2d(channels, inner, 1), gain),
            nn.LeakyReLU(0.2, inplace=True),
            init_fan_in(nn.Conv2d(inner, inner, 3, padding=1, groups=cardinality), gain),
            nn.LeakyReLU(0.2, inplace=True),
            last,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, channels, H, W)`` from the same."""
        return features + self.layers(features)
