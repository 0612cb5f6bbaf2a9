"""Objectives beside the adversarial one."""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.data_preprocessor import TrainingBatch
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_weight


class AuxiliaryLoss(nn.Module, ABC):
    """A scalar that is added to the objective of one or more players.

    Attributes:
        needs_classes: Whether the discriminator must also classify its images.
    """

    needs_classes: bool = False

    @abstractmethod
    def losses(self, player: str, batch: TrainingBatch, outputs: dict) -> dict[str, Tensor]:
        """Weighted scalars for one step of a player; empty if it gets none.

        Args:
            player: 'discriminator' or 'generator'.
            batch: What the step trains on: ``batch.images``, ``batch.labels``.
            outputs: ``latents`` ``(N, Z)``; ``fake_images`` ``(N, C, H, W)``, with their gradient
                in a step of the generator; ``fake_logits`` ``(N, ...)``; ``real_logits`` in a step
                of the discriminator; with a classifier ``fake_classes`` and ``real_classes``,
                logits ``(N, num_classes)``.

        Returns:
            By the name in the log, which contains 'loss'.
        """


@MODELS.register_module()
class AuxiliaryClassifierLoss(AuxiliaryLoss):
    """Cross-entropy of a classifier that shares the discriminator's body: AC-GAN.

    Odena et al. 2017, arXiv:1610.09585, equation 3: both players maximize the likelihood of the
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

    needs_classes = True

    def __init__(self, weight_discriminator: float = 1.0, weight_generator: float = 1.0) -> None:
        super().__init__()
        self.weight_discriminator = check_weight('weight_discriminator', weight_discriminator)
        self.weight_generator = check_weight('weight_generator', weight_generator)

    def losses(self, player: str, batch: TrainingBatch, outputs: dict) -> dict[str, Tensor]:
        """``loss_class_disc`` or ``loss_class_gen``."""
        assert batch.labels is not None
        if player == 'generator':
            return dict(loss_class_gen=self.generator(outputs['fake_classes'], batch.labels))
        real, fake = outputs['real_classes'], outputs['fake_classes']
        return dict(loss_class_disc=self.discriminator(real, fake, batch.labels))

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
        return self.weight_discriminator * (real_loss + _cross_entropy(fake_class_logits, labels))

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
