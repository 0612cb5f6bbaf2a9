"""Objectives beside the adversarial one, on other outputs of the discriminator than its logits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_weight


@MODELS.register_module()
class AuxiliaryClassifierLoss(nn.Module):
    """Cross-entropy of a classifier that shares the discriminator's body: AC-GAN.

    Odena et al. 2017, arXiv:1610.09585, equation 3: both players maximise the likelihood of the
    right class. As in the paper the discriminator's classifier learns on real images and on fakes,
    these taken at the labels that they were drawn with, however little they look like them.

    Args:
        weight_discriminator: Factor of the discriminator's scalar, 0 or more.
        weight_generator: Factor of the generator's scalar, 0 or more.

    Raises:
        ValueError: If a weight is negative or not finite.

    Example:
        >>> loss = AuxiliaryClassifierLoss()
        >>> loss.generator(torch.zeros(2, 10), torch.tensor([3, 7]))  # ln 10
        tensor(2.3026)
    """

    def __init__(self, weight_discriminator: float = 1.0, weight_generator: float = 1.0) -> None:
        super().__init__()
        self.weight_discriminator = check_weight('weight_discriminator', weight_discriminator)
        self.weight_generator = check_weight('weight_generator', weight_generator)

    def discriminator(
        self, real_class_logits: Tensor, fake_class_logits: Tensor, labels: Tensor
    ) -> Tensor:
        """Scalar for the discriminator: the sum of both batch means, weighted.

        Args:
            real_class_logits: ``(N, num_classes)``, of any float dtype; at least float32 inside.
            fake_class_logits: The same of fakes, which carry no gradient to the generator.
            labels: int64 ``(N,)`` in [0, ``num_classes``), of the real images and of the fakes.
        """
        real_loss = _cross_entropy(real_class_logits, labels)
        fake_loss = _cross_entropy(fake_class_logits, labels)
        return self.weight_discriminator * (real_loss + fake_loss)

    def generator(self, fake_class_logits: Tensor, labels: Tensor) -> Tensor:
        """Scalar for the generator: the batch mean over its fakes, weighted.

        Args:
            fake_class_logits: ``(N, num_classes)``, of any float dtype; at least float32 inside.
            labels: int64 ``(N,)`` in [0, ``num_classes``), which the fakes were drawn with.
        """
        return self.weight_generator * _cross_entropy(fake_class_logits, labels)


def _cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    with torch.autocast(logits.device.type, enabled=False):
        dtype = torch.promote_types(logits.dtype, torch.float32)
        return F.cross_entropy(logits.to(dtype), labels)
