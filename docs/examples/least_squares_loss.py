"""Least squares objective. Mao et al. 2017, arXiv:1611.04076."""

from mmgan_lite.models import AdversarialLoss
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class LeastSquaresGANLoss(AdversarialLoss):
    """Real logits are drawn to 1, fake ones to 0; the generator draws its fakes to 1."""

    def discriminator(self, real_logits, fake_logits):
        """Batch mean of both terms, each halved."""
        return 0.5 * (real_logits - 1).square().mean() + 0.5 * fake_logits.square().mean()

    def generator(self, fake_logits, real_logits=None):
        """Batch mean, halved."""
        return 0.5 * (fake_logits - 1).square().mean()
