"""Absolute error loss: the loss of Mao et al. 2017, arXiv:1611.04076, without the square."""

from mmgan_lite.models import AdversarialLoss
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class AbsoluteErrorGANLoss(AdversarialLoss):
    """Real logits are trained towards 1, fake logits towards 0, and by the generator towards 1."""

    def discriminator(self, real_logits, fake_logits):
        """Sum of the batch means of both absolute errors."""
        return (real_logits - 1).abs().mean() + fake_logits.abs().mean()

    def generator(self, fake_logits, real_logits=None):
        """Batch mean of the absolute error."""
        return (fake_logits - 1).abs().mean()
