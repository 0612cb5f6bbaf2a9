"""Adversarial objectives, one class each, all on raw logits."""

import math
from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.registry import MODELS


class AdversarialLoss(nn.Module, ABC):
    """Base class of objectives: one scalar for each of the two players.

    Logits are float32 ``(N, ...)``, unbounded: one an image, or a map. A larger logit means "more
    real".

    Attributes:
        needs_real_logits: Whether :meth:`generator` compares with the real images, as relativistic
            objectives do. Only then does the GAN spend a pass of the discriminator on them.
        decision_threshold: The logit of the best discriminator for an image that is as likely real
            as fake; a larger one says "real". None where only differences of logits count.
    """

    needs_real_logits: bool = False
    decision_threshold: float | None = None

    def __init__(self) -> None:
        super().__init__()

    @abstractmethod
    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Scalar that the discriminator minimizes; the fakes carry no gradient to the generator."""

    @abstractmethod
    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Scalar that the generator minimizes; real logits only if :attr:`needs_real_logits`."""


class _LogisticGANLoss(AdversarialLoss):
    """The discriminator's side of Goodfellow et al. 2014; the generator's has two forms."""

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = _check_label_smoothing(label_smoothing)
        # Its probability is then (1 - s) / 2.
        self.decision_threshold = math.log((1 - label_smoothing) / (1 + label_smoothing))

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Batch mean of both terms; between 0 and infinity."""
        loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        # Cross-entropy with the target 1 - s is softplus(-D(x)) + s D(x).
        smoothing = self.label_smoothing
        return loss + smoothing * real_logits.mean() if smoothing else loss


@MODELS.register_module()
class NonSaturatingGANLoss(_LogisticGANLoss):
    """Binary cross-entropy on logits, with the generator's non-saturating form.

    The discriminator minimizes ``softplus(-D(x)) + softplus(D(G(z)))`` and the generator
    ``softplus(-D(G(z)))``: Goodfellow et al. 2014, arXiv:1406.2661, section 3. The sigmoid is
    folded into the softplus, so the gradient is right at any logit, where a sigmoid followed by
    a logarithm gives 0 or NaN.

    Args:
        label_smoothing: How far below 1 the discriminator's target for real images lies, in
            [0, 0.5); that for fakes stays 0. Salimans et al. 2016, arXiv:1606.03498, section 3.4.

    Raises:
        ValueError: If ``label_smoothing`` is out of its range.

    Example:
        >>> import torch
        >>> loss = NonSaturatingGANLoss()
        >>> loss.discriminator(torch.zeros(2), torch.zeros(2))  # 2 ln 2
        tensor(1.3863)
        >>> loss.generator(torch.tensor([-200.0]))
        tensor(200.)
    """

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; between 0 and infinity. ``real_logits`` have no part in it."""
        return F.softplus(-fake_logits).mean()


@MODELS.register_module()
class SaturatingGANLoss(_LogisticGANLoss):
    """Binary cross-entropy on logits as a zero-sum game: the generator's form is minimax.

    The discriminator minimizes ``softplus(-D(x)) + softplus(D(G(z)))`` and the generator
    ``-softplus(D(G(z)))``: Goodfellow et al. 2014, arXiv:1406.2661, equation 1. The generator's
    gradient vanishes where the discriminator is sure of the fakes, so this is to compare with;
    train with :class:`NonSaturatingGANLoss`.

    Args:
        label_smoothing: How far below 1 the discriminator's target for real images lies, in
            [0, 0.5); that for fakes stays 0. Salimans et al. 2016, arXiv:1606.03498, section 3.4.

    Raises:
        ValueError: If ``label_smoothing`` is out of its range.

    Example:
        >>> import torch
        >>> loss = SaturatingGANLoss()
        >>> loss.generator(torch.zeros(2))  # -ln 2
        tensor(-0.6931)
    """

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; between minus infinity and 0. ``real_logits`` have no part in it."""
        return -F.softplus(fake_logits).mean()


@MODELS.register_module()
class LeastSquaresGANLoss(AdversarialLoss):
    """Squared distance of the logits to 1 for real and 0 for fake.

    The discriminator minimizes ``1/2 (D(x) - 1)^2 + 1/2 D(G(z))^2`` and the generator
    ``1/2 (D(G(z)) - 1)^2``: Mao et al. 2017, arXiv:1611.04076, equation 9.

    Args:
        label_smoothing: How far below 1 the discriminator's target for real images lies, in
            [0, 0.5); that for fakes stays 0, and the generator's 1. Salimans et al. 2016,
            arXiv:1606.03498, section 3.4.

    Raises:
        ValueError: If ``label_smoothing`` is out of its range.

    Example:
        >>> import torch
        >>> loss = LeastSquaresGANLoss()
        >>> loss.discriminator(torch.tensor([2.0]), torch.tensor([1.0]))
        tensor(1.)
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = _check_label_smoothing(label_smoothing)
        self.decision_threshold = (1 - label_smoothing) / 2

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Batch mean of both terms; between 0 and infinity."""
        real_target = 1 - self.label_smoothing
        return 0.5 * ((real_logits - real_target).square().mean() + fake_logits.square().mean())

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; between 0 and infinity. ``real_logits`` have no part in it."""
        return 0.5 * (fake_logits - 1).square().mean()


@MODELS.register_module()
class WassersteinGANLoss(AdversarialLoss):
    """Difference of the mean logits, an estimate of the Wasserstein distance.

    The discriminator minimizes ``D(G(z)) - D(x)`` and the generator ``-D(G(z))``: Arjovsky et al.
    2017, arXiv:1701.07875. It means that distance only with a discriminator whose slope is bounded,
    as :class:`~mmgan_lite.models.GradientPenalty` sees to.

    Example:
        >>> import torch
        >>> loss = WassersteinGANLoss()
        >>> loss.discriminator(torch.tensor([2.0]), torch.tensor([0.5]))
        tensor(-1.5000)
    """

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Difference of the batch means; unbounded."""
        return fake_logits.mean() - real_logits.mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; unbounded. ``real_logits`` have no part in it."""
        return -fake_logits.mean()


@MODELS.register_module()
class HingeGANLoss(AdversarialLoss):
    """Margin loss: images beyond a logit of 1, or -1 for fakes, teach the discriminator no more.

    The discriminator minimizes ``relu(1 - D(x)) + relu(1 + D(G(z)))`` and the generator
    ``-D(G(z))``: Lim & Ye 2017, arXiv:1705.02894.

    Example:
        >>> import torch
        >>> loss = HingeGANLoss()
        >>> loss.discriminator(torch.tensor([2.0]), torch.tensor([0.5]))
        tensor(1.5000)
    """

    decision_threshold = 0.0

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Batch mean of both terms; between 0 and infinity."""
        return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean; unbounded. ``real_logits`` have no part in it."""
        return -fake_logits.mean()


@MODELS.register_module()
class RelativisticPairingGANLoss(AdversarialLoss):
    """Logistic loss of each fake against a real image of its own.

    The discriminator minimizes ``softplus(-(D(x_i) - D(G(z_i))))`` and the generator
    ``softplus(-(D(G(z_i)) - D(x_i)))``: Jolicoeur-Martineau 2018, arXiv:1807.00734. R3GAN (Huang et
    al. 2024, arXiv:2501.05441) has R1 and R2 beside it.

    Example:
        >>> import torch
        >>> loss = RelativisticPairingGANLoss()
        >>> loss.discriminator(torch.tensor([3.0]), torch.tensor([3.0]))  # ln 2
        tensor(0.6931)
    """

    needs_real_logits = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Mean over the pairs; between 0 and infinity.

        Raises:
            ValueError: If there is not one real logit for each fake one.
        """
        return F.softplus(fake_logits - _paired(real_logits, fake_logits)).mean()

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Mean over the pairs; between 0 and infinity.

        Raises:
            ValueError: If there is not one real logit for each fake one.
        """
        return F.softplus(_paired(real_logits, fake_logits) - fake_logits).mean()


@MODELS.register_module()
class RelativisticAverageGANLoss(AdversarialLoss):
    """Logistic loss of each image against the average of the other kind.

    With ``r = D(x)``, ``f = D(G(z))`` and their batch means, the discriminator minimizes
    ``softplus(-(r - mean f)) + softplus(f - mean r)``, and the generator the same with real and
    fake exchanged: Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2. Where several processes
    train, each takes the means of its own batch.

    Example:
        >>> import torch
        >>> loss = RelativisticAverageGANLoss()
        >>> loss.discriminator(torch.tensor([3.0]), torch.tensor([3.0]))  # 2 ln 2
        tensor(1.3863)
    """

    needs_real_logits = True

    def discriminator(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Batch mean of both terms; between 0 and infinity.

        Raises:
            ValueError: If there is not one real logit for each fake one.
        """
        return _average_loss(_paired(real_logits, fake_logits), fake_logits)

    def generator(self, fake_logits: Tensor, real_logits: Tensor | None = None) -> Tensor:
        """Batch mean of both terms; between 0 and infinity.

        Raises:
            ValueError: If there is not one real logit for each fake one.
        """
        return _average_loss(fake_logits, _paired(real_logits, fake_logits))


def _average_loss(winners: Tensor, losers: Tensor) -> Tensor:
    """Logistic loss that draws one kind of logits above the mean of the other."""
    above = F.softplus(losers.mean() - winners).mean()
    return above + F.softplus(losers - winners.mean()).mean()


def check_pairs(kind: str, real: Tensor, fake: Tensor) -> None:
    """Raise ``ValueError`` unless there is one fake for each real image."""
    if real.shape != fake.shape:
        raise ValueError(
            f'real_{kind} and fake_{kind} must be of the same shape, got {tuple(real.shape)} and '
            f'{tuple(fake.shape)}. Make as many fakes as there are real images.'
        )


def _paired(real_logits: Tensor | None, fake_logits: Tensor) -> Tensor:
    """The real logits, if there is one for each fake one: others would broadcast in silence."""
    if real_logits is None:
        raise ValueError(
            'real_logits must be given to a relativistic objective, got None. Pass one for a fake.'
        )
    check_pairs('logits', real_logits, fake_logits)
    return real_logits


def _check_label_smoothing(label_smoothing: float) -> float:
    # From 0.5 on, a real image would be taught as fake; it is also the mistake of passing 0.9.
    if not isinstance(label_smoothing, (int, float)) or not 0 <= label_smoothing < 0.5:
        raise ValueError(
            f'label_smoothing must be a number in [0, 0.5), got {label_smoothing!r}. '
            'Pass label_smoothing=0.1 for a target of 0.9 for real images.'
        )
    return label_smoothing
