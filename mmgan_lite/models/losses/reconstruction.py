"""Reconstruction of real images from the features of the discriminator."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.losses.regularizers import PenaltyBatch, Regularizer
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.interfaces import Reconstructs


@MODELS.register_module()
class ReconstructionRegularizer(Regularizer):
    """Keeps what real images look like in the features of the discriminator: for little data.

    ``weight * sum E |x' - x|``, the mean over pixels and images, of each image ``x'`` that the
    discriminator's decoders make and its target ``x``: Liu et al. 2021 (FastGAN), arXiv:2101.04775,
    section 3.2. Differs: the absolute difference in place of the perceptual distance LPIPS, whose
    weights would have to be downloaded; a pass of its own through the discriminator.

    The discriminator must have ``reconstruct(images)`` -> pairs of images and targets. Where the
    model has an augmentation, the images are augmented ones.

    Args:
        weight: Factor of the penalty, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range; from a call, if the network has no decoders.

    Example:
        In a config: ``regularizers=[dict(type='ReconstructionRegularizer')]``
    """

    name = 'reconstruction'
    takes_network = True

    def check_network(self, network: nn.Module) -> None:
        """Raise ``ValueError`` if a discriminator has no decoders."""
        _check_decoders(network)

    def penalty(self, network: Any, batch: PenaltyBatch) -> Tensor:
        """Sum of the mean absolute differences."""
        _check_decoders(network)
        pairs = network.reconstruct(batch.real_images)
        total = sum(F.l1_loss(image, target) for image, target in pairs)
        assert isinstance(total, Tensor)
        return total


def _check_decoders(network: Any) -> None:
    if not isinstance(network, Reconstructs):
        raise ValueError(
            'ReconstructionRegularizer needs a discriminator with reconstruct(images), but '
            f'{type(network).__name__} has none. Take FastGANDiscriminator in a GAN, or leave the '
            'regularizer out.'
        )
