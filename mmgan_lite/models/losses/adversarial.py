"""Adversarial objectives, one class each, all on raw logits."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.registry import MODELS


class AdversarialLoss(nn.Module, ABC):
    """What every objective offers: one scalar for each of the two players.

    Logits are float32 ``(N,)``, unbounded, one an image; a larger logit means "more real".

    Attributes:
        needs_real_logits: Whether :meth:`generator` compares with the real images, as relativistic
            objectives do. Only then does the GAN spend a pass of the discriminator on them.
    """

    needs_real_logits: bool = False

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that the discriminator minimises; the fakes carry no gradient to the generator."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Scalar that the generator minimises; real logits only if :attr:`needs_real_logits`."""


@MODELS.register_module()
class NonSaturatingGANLoss(AdversarialLoss):
    """Binary cross-entropy on logits, with the generator's non-saturating form.

    The discriminator minimises ``softplus(-D(x)) + softplus(D(G(z)))`` and the generator
    ``softplus(-D(G(z)))``: Goodfellow et al. 2014, arXiv:1406.2661, section 3. The sigmoid is
    folded into the softplus, so the gradient is right at any logit, where a sigmoid followed by
    a logarithm gives 0 or NaN.

    Example:
        >>> import torch
        >>> loss = NonSaturatingGANLoss()
        >>> loss.discriminator(torch.zeros(2), torch.zeros(2))  # 2 ln 2
        tensor(1.3863)
        >>> loss.generator(torch.tensor([-200.0]))
        tensor(200.)
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Batch mean of both terms; between 0 and infinity."""
        return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; between 0 and infinity. ``real_logits`` have no part in it."""
        return F.softplus(-fake_logits).mean()
