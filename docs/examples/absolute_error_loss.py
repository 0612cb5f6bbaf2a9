"""Absolute error objective: that of Mao et al. 2017, arXiv:1611.04076, without the square."""

from mmgan_lite.models import AdversarialLoss
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class AbsoluteErrorGANLoss(AdversarialLoss):
    """Real logits are drawn to 1, fake ones to 0; the generator draws its fakes to 1."""

    def discriminator(self, real_logits, fake_logits):
        """Sum of the batch means of both distances."""
        return (real_logits - 1).abs().mean() + fake_logits.abs().mean()

    def generator(self, fake_logits, real_logits=None):
        """Batch mean of the distance."""
        return (fake_logits - 1).abs().mean()
