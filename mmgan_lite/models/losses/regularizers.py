"""Regularizers: scalars that are added to the objective of one player."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from mmgan_lite.models.losses.adversarial import check_pairs
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.precision import without_autocast
from mmgan_lite.utils.validation import check_positive, check_weight

Network: TypeAlias = Callable[[Tensor, Tensor | None], Tensor]


class PenaltyBatch(NamedTuple):
    """What a penalty is computed on.

    - ``real_images``: float32 ``(N, C, H, W)`` in [-1, 1], without gradient.
    - ``fake_images``: as many fakes, of the same shape, without gradient.
    - ``labels``: int64 ``(N,)``, of the real images and of the fakes; None without labels.
    - ``real_logits``: ``(N, ...)``, with their gradient; None where the caller had none.
    - ``fake_logits``: the same of the fakes.
    - ``latents``: ``(N, Z)``, which the fakes were generated from; None where the caller had none.
    """

    real_images: Tensor
    fake_images: Tensor
    labels: Tensor | None
    real_logits: Tensor | None
    fake_logits: Tensor | None
    latents: Tensor | None = None


class Regularizer(nn.Module, ABC):
    """Base class of regularizers: ``weight`` times a penalty on one player's network.

    A subclass sets its ``name``, ``player`` where it is not the discriminator, and defines the
    penalty without the weight, in :meth:`penalty`.

    Regularization is lazy, as in Karras et al. 2020 (StyleGAN2), arXiv:1912.04958: the model calls
    a regularizer in every ``interval``-th step of its player and multiplies the result by
    ``interval``, so that the average strength is the same for any interval.

    Args:
        weight: Factor of the penalty, 0 or more.
        interval: Steps of the player from one call to the next, at least 1.

    Attributes:
        name: It is logged as ``loss_<name>``.
        player: Whose objective it is added to, 'discriminator' or 'generator'.
        takes_rounded_logits: Whether logits that were computed under autocast are accurate enough;
            otherwise they are computed again.
        takes_network: Whether a GAN gives the discriminator itself, and real images that are
            augmented already, in place of a function that augments and gives logits.
        weight: The factor as a float32 tensor without dimensions, on the model's device and not in
            checkpoints. A schedule writes to it, ``regularizer.weight.fill_(0.5)``: that neither
            waits for the device nor makes a new tensor.

    Raises:
        ValueError: If an argument is out of its range.
    """

    name: str
    player: str = 'discriminator'
    takes_rounded_logits: bool = True
    takes_network: bool = False
    weight: Tensor

    def __init__(self, weight: float = 10.0, interval: int = 1) -> None:
        super().__init__()
        factor = torch.tensor(check_weight('weight', weight), dtype=torch.float32)
        self.register_buffer('weight', factor, persistent=False)
        self.interval = check_positive('interval', interval)

    def forward(
        self,
        network: Network,
        real_images: Tensor,
        fake_images: Tensor,
        labels: Tensor | None = None,
        real_logits: Tensor | None = None,
        fake_logits: Tensor | None = None,
        latents: Tensor | None = None,
    ) -> Tensor:
        """The weighted penalty, computed in float32 whether autocast is on or off.

        Its gradient reaches the weights of the player's network and nothing else.

        Args:
            network: The player's. For the discriminator ``network(images, labels)`` gives logits
                ``(N, ...)``: a network, a wrapped one, or a function around one. For the generator
                it is the network itself, with ``network(latents, labels)``.
            real_images: Float ``(N, C, H, W)`` in [-1, 1].
            fake_images: As many fakes, of the same shape.
            labels: int64 ``(N,)``, of the real images and of the fakes; None without labels.
            real_logits: Float ``(N, ...)``, the discriminator's on ``real_images`` with their
                gradient, where the caller has them; with None they are computed where needed.
            fake_logits: The same on ``fake_images``.
            latents: Float ``(N, Z)``, which the fakes were generated from.

        Returns:
            Float32 scalar ``weight * penalty``. The caller multiplies it by ``interval``.
        """
        device = real_images.device
        if not self.takes_rounded_logits and torch.is_autocast_enabled(device.type):
            real_logits = fake_logits = None
        with without_autocast(device):
            images = (real_images.detach().float(), fake_images.detach().float())
            batch = PenaltyBatch(*images, labels, real_logits, fake_logits, latents)
            return self.weight * self.penalty(network, batch)

    def check_network(self, network: nn.Module) -> None:
        """Raise ``ValueError`` if there is no penalty on such a network; a GAN calls it when built.

        Args:
            network: The player's, not wrapped.
        """

    @abstractmethod
    def penalty(self, network: Any, batch: PenaltyBatch) -> Tensor:
        """Scalar without the weight; autocast is off."""


@MODELS.register_module()
class R1Regularizer(Regularizer):
    """Squared slope of the discriminator at real images.

    ``weight / 2 * E ||grad_x D(x)||^2``, the norm over all pixels of an image: Mescheder et al.
    2018, arXiv:1801.04406, with ``weight`` called gamma. StyleGAN2 takes
    ``0.0002 * height * width / batch_size`` to begin with.

    Args:
        weight: Gamma, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = R1Regularizer(weight=10.0)
        >>> images = torch.ones(2, 1, 1, 3)
        >>> regularizer(lambda x, labels: x.flatten(1).sum(1), images, images)  # 5 ||(1, 1, 1)||^2
        tensor(15.)
    """

    name = 'r1'

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Half the mean squared norm at the real images."""
        return 0.5 * _gradients(network, batch.real_images, batch).square().sum(1).mean()


@MODELS.register_module()
class R2Regularizer(Regularizer):
    """Squared slope of the discriminator at fakes.

    ``weight / 2 * E ||grad_x D(x)||^2`` over the generator's images: Mescheder et al. 2018,
    arXiv:1801.04406. R3GAN (arXiv:2501.05441) has it beside R1, with the same weight.

    Args:
        weight: Gamma, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = R2Regularizer(weight=2.0)
        >>> images = torch.ones(2, 1, 1, 3)
        >>> regularizer(lambda x, labels: x.flatten(1).sum(1), images, images)  # ||(1, 1, 1)||^2
        tensor(3.)
    """

    name = 'r2'

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Half the mean squared norm at the fakes."""
        return 0.5 * _gradients(network, batch.fake_images, batch).square().sum(1).mean()


@MODELS.register_module()
class GradientPenalty(Regularizer):
    """Draws the discriminator's slope to 1 between real images and fakes: WGAN-GP.

    ``weight * E (||grad_x D(x)||_2 - 1)^2`` at ``x`` uniform on the line between a real image and
    a fake, another point for each pair: Gulrajani et al. 2017, arXiv:1704.00028. Made for
    :class:`~mmgan_lite.models.WassersteinGANLoss` and a discriminator without batch norm, which
    makes the slope at one image depend on the others.

    Args:
        weight: Lambda, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = GradientPenalty()
        >>> images = torch.ones(2, 1, 1, 4)
        >>> regularizer(lambda x, labels: x.flatten(1).sum(1), images, images)  # 10 (2 - 1)^2
        tensor(10.)
    """

    name = 'gradient_penalty'

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean squared distance of the slope to 1 between the pairs.

        Raises:
            ValueError: If there is not one fake for each real image.
        """
        real_images, fake_images = batch.real_images, batch.fake_images
        check_pairs('images', real_images, fake_images)
        between = torch.lerp(real_images, fake_images, _one_an_image(real_images))
        return _distance_to_unit_slope(network, between, batch)


@MODELS.register_module()
class DRAGANRegularizer(Regularizer):
    """Draws the discriminator's slope to 1 around real images: DRAGAN.

    ``weight * E (||grad_x D(x + a d)||_2 - 1)^2``, with ``a`` uniform in [0, 1], one an image, and
    ``d`` uniform noise, from 0 to half the standard deviation of the batch: Kodali et al. 2017,
    arXiv:1705.07215. The noise is that of the authors' code; the paper has a normal one, whose
    variance would have to be tuned.

    Args:
        weight: Lambda, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = DRAGANRegularizer()
        >>> images = torch.ones(2, 1, 1, 4)
        >>> regularizer(lambda x, labels: x.flatten(1).sum(1), images, images)  # 10 (2 - 1)^2
        tensor(10.)
    """

    name = 'dragan'

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean squared distance of the slope to 1 near the real images."""
        images = batch.real_images
        noise = 0.5 * images.std(correction=0) * torch.rand_like(images)
        around = images + _one_an_image(images) * noise
        return _distance_to_unit_slope(network, around, batch)


@MODELS.register_module()
class DriftRegularizer(Regularizer):
    """Keeps the logits of real images near 0.

    ``weight * E D(x)^2``: Karras et al. 2018 (ProGAN), arXiv:1710.10196, appendix A.1. The
    Wasserstein objective does not change when a constant is added to all logits, so they drift.

    Args:
        weight: Epsilon, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = DriftRegularizer()
        >>> images = torch.ones(2, 1, 1, 3)
        >>> regularizer(lambda x, labels: x.flatten(1).sum(1), images, images)  # 0.001 * 3^2
        tensor(0.0090)
    """

    name = 'drift'

    def __init__(self, weight: float = 1e-3, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean square of the real logits."""
        return _real_logits(network, batch).square().mean()


@MODELS.register_module()
class LeCamRegularizer(Regularizer):
    """Draws the logits of each kind to the running mean of the other: for little data.

    ``weight * (E (D(x) - a_fake)^2 + E (D(G(z)) - a_real)^2)``, where the anchors ``a_real`` and
    ``a_fake`` are exponential averages of the mean logits: Tseng et al. 2021, arXiv:2104.03310.
    Differs: as the paper's equation has it; the authors' code counts only logits on the side of
    the anchor where the discriminator is right.

    The averages are corrected for their start, so that after the first call the anchors are the
    means of that batch. A call in training mode takes its logits into them and then penalizes; in
    eval mode they stay. Where several processes train, each has the anchors of its own batches.

    Args:
        weight: Lambda, 0 or more; the paper has 0.3 for CIFAR-10 with BigGAN.
        interval: Steps of the discriminator from one call to the next, at least 1.
        decay: What an average keeps of itself in a call, in [0, 1).

    Attributes:
        real_anchor: Float32 tensor without dimensions, in checkpoints, as are the next two.
        fake_anchor: The same of the fakes.
        memory: How many calls the averages are over: 1 after the first, up to ``1 / (1 - decay)``.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = LeCamRegularizer(weight=1.0)
        >>> real, fake = torch.full((2, 1, 1, 1), 2.0), torch.zeros(2, 1, 1, 1)
        >>> regularizer(lambda x, labels: x.flatten(), real, fake)  # (2 - 0)^2 + (0 - 2)^2
        tensor(8.)
    """

    name = 'lecam'
    real_anchor: Tensor
    fake_anchor: Tensor
    memory: Tensor

    def __init__(self, weight: float = 0.3, interval: int = 1, decay: float = 0.99) -> None:
        super().__init__(weight, interval)
        if not isinstance(decay, (int, float)) or not 0 <= decay < 1:
            raise ValueError(
                f'decay must be a number in [0, 1), got {decay!r}. Pass decay=0.99 for 100 calls.'
            )
        self.decay = decay
        for name in ('real_anchor', 'fake_anchor', 'memory'):
            self.register_buffer(name, torch.zeros((), dtype=torch.float32))

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean squared distance of the logits to the anchors, both kinds added."""
        real_logits, fake_logits = _real_logits(network, batch), _fake_logits(network, batch)
        if self.training:
            with torch.no_grad():
                # The sum of the weights decay^0, decay^1, ... of the batches so far; dividing by it
                # is the correction for the start, and makes the first step a copy of the batch.
                self.memory.mul_(self.decay).add_(1)
                self.real_anchor.lerp_(real_logits.mean(), 1 / self.memory)
                self.fake_anchor.lerp_(fake_logits.mean(), 1 / self.memory)
        real = (real_logits - self.fake_anchor).square().mean()
        return real + (fake_logits - self.real_anchor).square().mean()


@MODELS.register_module()
class ConsistencyRegularizer(Regularizer):
    """Same logit for a real image and an augmented one: CR-GAN.

    ``weight * E (D(x) - D(T(x)))^2``: Zhang et al. 2020, arXiv:1910.12027.

    Args:
        augmentation: Config of T, or the module: ``augmentation(images)`` gives images of the same
            shape. The paper flips, and shifts by a few pixels.
        weight: Lambda, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = ConsistencyRegularizer(nn.Hardtanh(), weight=1.0)
        >>> images = torch.full((2, 1, 1, 1), 3.0)
        >>> regularizer(lambda x, labels: x.flatten(), images, images)  # (3 - 1)^2
        tensor(4.)
    """

    name = 'consistency'
    # Logits rounded to bfloat16 lie farther from the float32 logits of the augmented images than a
    # good discriminator's two logits do from one another.
    takes_rounded_logits = False

    def __init__(
        self, augmentation: Mapping | nn.Module, weight: float = 10.0, interval: int = 1
    ) -> None:
        super().__init__(weight, interval)
        self.augmentation = build_part(MODELS, augmentation, 'augmentation')

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean squared difference over the real images."""
        augmented_logits = _logits(network, self.augmentation(batch.real_images), batch)
        return (_real_logits(network, batch) - augmented_logits).square().mean()


@MODELS.register_module()
class BalancedConsistencyRegularizer(ConsistencyRegularizer):
    """Same logit for an image and an augmented one, real or fake: bCR-GAN.

    ``weight * (E (D(x) - D(T(x)))^2 + E (D(G(z)) - D(T(G(z))))^2)``: Zhao et al. 2021,
    arXiv:2002.04724. On real images alone the generator learns what the augmentation does; on both
    it does not. Differs: one weight for both terms, as the paper ends up with.

    Args:
        augmentation: Config of T, or the module: ``augmentation(images)`` gives images of the same
            shape.
        weight: Lambda, 0 or more.
        interval: Steps of the discriminator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> regularizer = BalancedConsistencyRegularizer(nn.Hardtanh(), weight=1.0)
        >>> real, fake = torch.full((2, 1, 1, 1), 3.0), torch.full((2, 1, 1, 1), -2.0)
        >>> regularizer(lambda x, labels: x.flatten(), real, fake)  # (3 - 1)^2 + (-2 + 1)^2
        tensor(5.)
    """

    name = 'balanced_consistency'

    def penalty(self, network: Network, batch: PenaltyBatch) -> Tensor:
        """Mean squared difference over the real images, plus that over the fakes."""
        augmented_logits = _logits(network, self.augmentation(batch.fake_images), batch)
        fake = (_fake_logits(network, batch) - augmented_logits).square().mean()
        return super().penalty(network, batch) + fake


@MODELS.register_module()
class OrthogonalRegularizer(Regularizer):
    """Draws the filters of each layer of the generator to right angles with one another: BigGAN.

    ``weight * sum over layers ||W W^T * (1 - I)||_F^2``, where ``W`` has a row for each output of a
    convolution or linear layer: Brock et al. 2019, arXiv:1809.11096, equation 3. The norms of the
    filters are left free. Latents that are truncated then give fewer artifacts. Of a layer with
    spectral norm, ``W`` is the weight before it is divided.

    Args:
        weight: Beta, 0 or more.
        interval: Steps of the generator from one call to the next, at least 1.

    Raises:
        ValueError: If an argument is out of its range; from a call, if the generator has no such
            layer.

    Example:
        >>> generator = nn.Linear(2, 2, bias=False)
        >>> generator.weight.data = torch.tensor([[1.0, 2.0], [0.0, 3.0]])  # W W^T has 6 beside I
        >>> images = torch.zeros(1, 1, 2, 2)
        >>> OrthogonalRegularizer(weight=0.5)(generator, images, images)  # 0.5 (6^2 + 6^2)
        tensor(36., grad_fn=<MulBackward0>)
    """

    name = 'orthogonal'
    player = 'generator'

    def __init__(self, weight: float = 1e-4, interval: int = 1) -> None:
        super().__init__(weight, interval)

    def penalty(self, network: Any, batch: PenaltyBatch) -> Tensor:
        """Sum of the squared products of different filters."""
        terms = []
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                filters = _filters(module)
                products = filters @ filters.T
                terms.append(products.square().sum() - products.diagonal().square().sum())
        if not terms:
            raise ValueError(
                'OrthogonalRegularizer needs a generator with convolutions or linear layers of '
                f'torch, got {type(network).__name__} without. Leave the regularizer out.'
            )
        return torch.stack(terms).sum()


def _filters(layer: Any) -> Tensor:
    """The weight of a layer as a matrix with a row for each output, before spectral norm."""
    normalized = is_parametrized(layer, 'weight')
    weight = layer.parametrizations.weight.original if normalized else layer.weight
    outputs = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
    return weight.transpose(0, outputs).flatten(1)


def _logits(discriminator: Network, images: Tensor, batch: PenaltyBatch) -> Tensor:
    return discriminator(images, batch.labels).float()


def _real_logits(discriminator: Network, batch: PenaltyBatch) -> Tensor:
    """Those that the caller has, or else the discriminator's; the next likewise."""
    logits = batch.real_logits
    return _logits(discriminator, batch.real_images, batch) if logits is None else logits.float()


def _fake_logits(discriminator: Network, batch: PenaltyBatch) -> Tensor:
    logits = batch.fake_logits
    return _logits(discriminator, batch.fake_images, batch) if logits is None else logits.float()


def _gradients(discriminator: Network, images: Tensor, batch: PenaltyBatch) -> Tensor:
    """Gradient of each image's logit with respect to the image, ``(N, C * H * W)``.

    Differentiable again with respect to the weights, unless the caller is under ``no_grad``. The
    ``grad`` of the weights, and the hooks of a wrapper for several processes, are not touched.
    """
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        # A logit depends on its own image, so the sum has the gradient of each in its place.
        logits = _logits(discriminator, images, batch).sum()
        (gradients,) = torch.autograd.grad(logits, images, create_graph=create_graph)
    return gradients.flatten(1)


def _distance_to_unit_slope(network: Network, images: Tensor, batch: PenaltyBatch) -> Tensor:
    """Mean of ``(||grad_x D(x)||_2 - 1)^2``."""
    slopes = torch.linalg.vector_norm(_gradients(network, images, batch), dim=1)
    return (slopes - 1).square().mean()


def _one_an_image(images: Tensor) -> Tensor:
    """Uniform numbers in [0, 1) that broadcast over an image, ``(N, 1, 1, 1)``."""
    return torch.rand(len(images), *[1] * (images.ndim - 1), device=images.device)
