"""DCGAN: a generator of transposed convolutions, a discriminator of strided ones.

Radford et al. 2016, Unsupervised Representation Learning with Deep Convolutional GANs,
arXiv:1511.06434. Differs: both start or end at 4 to 7 pixels along the shorter side, so that they
reach 28 as well as 64; raw logits, no sigmoid; the discriminator's batch norm can be left out;
labels.
"""

from collections.abc import Sequence

from torch import nn

from mmgan_lite.models.layers import LogitHead, count_doublings, init_normal
from mmgan_lite.models.networks.base import ConditionalDiscriminator, LatentGenerator
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive


@MODELS.register_module()
class DCGANGenerator(LatentGenerator):
    """Transposed convolutions that double the size, batch norm and ReLU, tanh at the end.

    A linear layer makes the start, of 4 to 7 pixels along the shorter side; each doubling halves
    the channels, down to ``base_channels`` before the image.

    Args:
        latent_dim: Numbers in a latent vector, at least 1.
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        base_channels: Channels at half the size of the image, at least 1; twice as many at a
            quarter of it, and so on. The paper's network for 64x64 has 128.
        num_classes: Number of labels, at least 2; None for a generator without labels. A learned
            vector of as many numbers is appended to the latents.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> import torch
        >>> generator = DCGANGenerator(latent_dim=16, image_shape=(3, 32, 32), base_channels=8)
        >>> generator(torch.randn(4, 16)).shape
        torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        latent_dim: int = 100,
        image_shape: Sequence[int] = (1, 28, 28),
        base_channels: int = 64,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(latent_dim, image_shape, num_classes, embedding_dim=num_classes)
        check_positive('base_channels', base_channels)
        start, doublings = count_doublings(self.image_shape)
        channels = base_channels << (doublings - 1)
        # Batch norm follows every layer but the last, and would take a bias out again.
        layers: list[nn.Module] = [
            nn.Linear(latent_dim + (num_classes or 0), channels * start[0] * start[1], bias=False),
            nn.Unflatten(1, (channels, *start)),
        ]
        for _ in range(doublings - 1):
            layers += [
                nn.BatchNorm2d(channels),
                nn.ReLU(inplace=True),
                nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=False),
            ]
            channels //= 2
        layers += [
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(channels, self.image_shape[0], 4, 2, 1),
            nn.Tanh(),
        ]
        self.layers = nn.Sequential(*layers)
        init_normal(self)


@MODELS.register_module()
class DCGANDiscriminator(ConditionalDiscriminator):
    """Strided convolutions that halve the size, LeakyReLU 0.2, batch norm from the second on.

    ``base_channels`` after the first, twice as many after each other, until 4 to 7 pixels are left
    along the shorter side; a linear layer gives the logit.

    Args:
        image_shape: Channels, height and width of an image in pixels; the shorter side is 4, 5,
            6 or 7 times a power of two, from 8 on: 28, 32, 64, 128 and others; the longer one is a
            multiple of that power.
        base_channels: Channels at half the size of the image, at least 1. The paper's network for
            64x64 has 128.
        num_classes: Number of labels, at least 2; None for a discriminator without labels.
        norm: Whether to normalize over the batch. A penalty on the gradient of each image needs
            False: batch norm makes a logit depend on the other images.
        conditioning: How labels enter: 'embedding', a learned map as one more channel of the image;
            'projection', a learned vector that the features are multiplied with (arXiv:1802.05637);
            or 'classifier', not at all: the network gives class logits beside the logit
            (arXiv:1610.09585). None is 'embedding' where there are labels.
        negative_slope: Of LeakyReLU below 0, in [0, 1). Weights of MMGeneration and MMagic are
            trained with 0.01.

    Attributes:
        has_classifier: Whether ``forward`` can return the logits of the classes.

    Raises:
        ValueError: If an argument is out of its range, or ``conditioning`` has no classes.

    Example:
        >>> import torch
        >>> discriminator = DCGANDiscriminator(image_shape=(3, 32, 32), base_channels=8)
        >>> discriminator(torch.zeros(4, 3, 32, 32)).shape
        torch.Size([4])
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (1, 28, 28),
        base_channels: int = 64,
        num_classes: int | None = None,
        norm: bool = True,
        conditioning: str | None = None,
        negative_slope: float = 0.2,
    ) -> None:
        choices = ('embedding', 'projection', 'classifier')
        super().__init__(image_shape, num_classes, conditioning, choices)
        check_positive('base_channels', base_channels)
        if not isinstance(negative_slope, int | float) or not 0 <= negative_slope < 1:
            raise ValueError(
                f'negative_slope must be a number in [0, 1), got {negative_slope!r}. '
                'Pass negative_slope=0.2.'
            )
        end, halvings = count_doublings(self.image_shape)
        channels = base_channels
        layers: list[nn.Module] = [
            nn.Conv2d(self.in_channels, channels, 4, 2, 1),
            nn.LeakyReLU(negative_slope, inplace=True),
        ]
        for _ in range(halvings - 1):
            layers.append(nn.Conv2d(channels, 2 * channels, 4, 2, 1, bias=not norm))
            channels *= 2
            if norm:
                layers.append(nn.BatchNorm2d(channels))
            layers.append(nn.LeakyReLU(negative_slope, inplace=True))
        # Flat before the last activation: under channels_last the gradient of flat features lies
        # otherwise in memory than the features do, and an activation's backward pass through both
        # takes 20 times as long.
        layers.insert(-1, nn.Flatten())
        self.layers = nn.Sequential(*layers)
        self.head = LogitHead(channels * end[0] * end[1], num_classes, self.conditioning)
        init_normal(self)
