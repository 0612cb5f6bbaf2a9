"""Averages of a network's weights over training."""

import math
import warnings
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import BaseAveragedModel
from torch import Tensor, nn

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive


class _MovingAverage(BaseAveragedModel):
    """``average += share * (weights - average)``, where a subclass says what ``share`` is.

    Differs from MMEngine's averages: the count of updates and all that follows from it stay on the
    device, so that an update never waits for it and can be recorded in a CUDA graph; and always in
    eval mode.
    """

    steps: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.eval()

    def train(self, mode: bool = True) -> Any:
        """Stay in eval mode whatever is asked: an average is never trained."""
        return super().train(False)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights and buffers of ``model``, the network that is trained, into account."""
        averages = list(self.module.parameters())
        # lerp with 1 is exact: it is a copy.
        torch._foreach_lerp_(averages, list(model.parameters()), [self._share()] * len(averages))
        for average, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            average.copy_(buffer)
        self.steps += 1

    def _share(self) -> Tensor:
        """What part of the average the newest weights become: a float32 scalar in (0, 1]."""
        raise NotImplementedError


@MODELS.register_module()
class ExponentialMovingAverage(_MovingAverage):
    """Average that forgets at a fixed rate.

    ``average += momentum * (weights - average)`` for the parameters; buffers (the statistics of
    batch norm, counts) are copied. Yazıcı et al. 2018, arXiv:1806.04498 show what it does for a
    GAN. Differs from MMEngine's: nothing waits for the device, and always in eval mode.

    An update is a step of the generator; their number so far is ``steps``, which is in checkpoints.

    Args:
        model: The network to average, usually the generator.
        momentum: Weight of the newest parameters, in (0, 1); this is 1 - decay.
        warm_up: Whether the average is shorter at first: in the t-th update after the last copy
            the decay is ``(1 + t) / (10 + t)``, as long as that is less than ``1 - momentum``.
        start: The first so many updates copy the weights instead, at least 1: BigGAN
            (arXiv:1809.11096) has 1000 on CIFAR-10.

    Raises:
        ValueError: If an argument is out of its range.

    Warns:
        UserWarning: If ``momentum`` is over 0.5, and so probably meant for a decay.

    Example:
        A GAN is given it by config: ``ema=dict(type='ExponentialMovingAverage', momentum=1e-3)``.

        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = ExponentialMovingAverage(network, momentum=0.25)
        >>> for value in (8.0, 4.0):
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.update_parameters(network)
        >>> average.module.weight.item()  # 8 + (4 - 8) / 4
        7.0
    """

    def __init__(
        self, model: nn.Module, momentum: float = 1e-3, warm_up: bool = False, start: int = 1
    ) -> None:
        if not isinstance(momentum, float) or not 0 < momentum < 1:
            raise ValueError(
                f'momentum must lie in (0, 1), got {momentum!r}. Pass 0.001 for a decay of 0.999.'
            )
        if momentum > 0.5:
            warnings.warn(
                f'momentum={momentum} hardly averages: it is the weight of the newest parameters. '
                f'Pass momentum={1 - momentum:.6g} if {momentum} was meant for the decay.',
                stacklevel=2,
            )
        super().__init__(model)
        self.momentum = momentum
        self.warm_up = warm_up
        self.start = check_positive('start', start)

    def _share(self) -> Tensor:
        share: Tensor | float = self.momentum
        if self.warm_up:
            since_copy = self.steps - self.start + 1
            share = (9 / (10 + since_copy)).clamp(min=self.momentum)  # 1 - (1 + t) / (10 + t)
        return torch.where(self.steps < self.start, 1.0, share)


@MODELS.register_module()
class HalfLifeMovingAverage(_MovingAverage):
    """Average that has forgotten half after a number of images, whatever the batch size.

    ``average = decay * average + (1 - decay) * weights`` for the parameters, with
    ``decay = 0.5 ** (images_per_update / min(half_life, ramp_up * images_seen))``; buffers (the
    statistics of batch norm, counts) are copied. The ramp-up is that of StyleGAN2-ADA (Karras et
    al. 2020, arXiv:2006.06676). ``images_seen`` is what the updates before this one have seen, so
    the first update is a copy.

    R3GAN (arXiv:2501.05441) has no ramp-up, but lets the half-life grow from 0 to 5 million images:
    ``ramp_up=None`` and a schedule of ``model.generator_ema.half_life`` in the ``AnnealHook``.

    Args:
        model: The network to average, usually the generator.
        half_life: In images of all processes, 0 or more; 0 copies the weights.
        images_per_update: Real images that one process takes from one update to the next:
            ``batch_size`` of the data loader, unless the GAN's ``discriminator_steps``, its
            ``generator_steps`` or ``accumulative_counts`` make the generator step more or less
            often than once a batch. The number of processes is multiplied in here.
        ramp_up: Bound of the half-life as a share of the images seen, over 0; None for no bound.

    Attributes:
        half_life: Float32 tensor without dimensions, on the model's device and not in checkpoints.
            A schedule writes to it, ``average.half_life.fill_(5e6)``.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        In a config: ``ema=dict(type='HalfLifeMovingAverage', half_life=5e5, images_per_update=64)``

        >>> network = nn.Linear(1, 1, bias=False)
        >>> average = HalfLifeMovingAverage(network, 100, images_per_update=100, ramp_up=None)
        >>> for value in (8.0, 4.0):
        ...     _ = nn.init.constant_(network.weight, value)
        ...     average.update_parameters(network)
        >>> average.module.weight.item()  # half of each
        6.0
    """

    half_life: Tensor

    def __init__(
        self,
        model: nn.Module,
        half_life: float,
        images_per_update: int,
        ramp_up: float | None = 0.05,
    ) -> None:
        if not isinstance(half_life, (int, float)) or not 0 <= half_life < math.inf:
            raise ValueError(
                f'half_life must be a finite number of at least 0, got {half_life!r}. '
                'It is in images: pass half_life=500_000 for half a million.'
            )
        if ramp_up is not None and (
            not isinstance(ramp_up, (int, float)) or not 0 < ramp_up < math.inf
        ):
            raise ValueError(
                f'ramp_up must be a finite number over 0, got {ramp_up!r}. '
                'Pass ramp_up=0.05, or None for no ramp-up.'
            )
        super().__init__(model)
        self.images_per_update = check_positive('images_per_update', images_per_update)
        self.ramp_up = ramp_up
        self._images = images_per_update * get_world_size()
        length = torch.tensor(half_life, dtype=torch.float32)
        self.register_buffer('half_life', length, persistent=False)

    def _share(self) -> Tensor:
        half_life = self.half_life
        if self.ramp_up is not None:
            half_life = torch.minimum(half_life, self.ramp_up * (self.steps * self._images))
        # 1 - 0.5 ** (images / half_life), without the rounding of a decay that is nearly 1. A
        # half-life of 0 gives exp(-inf): a share of 1.
        share = -torch.expm1(-math.log(2) * self._images / half_life)
        return torch.where(self.steps == 0, 1.0, share)
