"""Averages of a network's weights over training."""

import mmengine.model
import torch
from torch import nn

from mmgan_lite.registry import MODELS


@MODELS.register_module()
class ExponentialMovingAverage(mmengine.model.ExponentialMovingAverage):
    """MMEngine's moving average, updated without waiting for the device.

    ``average += momentum * (weights - average)`` for the parameters; buffers (the statistics of
    batch norm) are copied. The first update copies everything. Yazıcı et al. 2018, arXiv:1806.04498
    show what it does for a GAN. Differs from MMEngine's: no Python ``if`` on the step count, which
    lies on the device, and always in eval mode.

    Args:
        model: The network to average, usually the generator.
        momentum: Weight of the newest parameters, in (0, 1); this is 1 - decay.

    Raises:
        ValueError: If ``momentum`` is out of its range.

    Example:
        A GAN is given it by config: ``ema=dict(type='ExponentialMovingAverage', momentum=1e-3)``.
    """

    def __init__(self, model: nn.Module, momentum: float = 1e-3) -> None:
        if not isinstance(momentum, float) or not 0 < momentum < 1:
            raise ValueError(
                f'momentum must lie in (0, 1), got {momentum!r}. '
                'It is 1 - decay: pass momentum=0.001 for a decay of 0.999.'
            )
        super().__init__(model, momentum=momentum)
        self.eval()

    def train(self, mode: bool = True) -> 'ExponentialMovingAverage':
        """Stay in eval mode whatever is asked: an average is never trained."""
        return super().train(False)

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the weights and buffers of ``model``, the network that is trained, into account."""
        averages = list(self.module.parameters())
        # Weight 1 in the first update: lerp is exact there, so it is a copy.
        weight = torch.where(self.steps == 0, 1.0, self.momentum)
        torch._foreach_lerp_(averages, list(model.parameters()), [weight] * len(averages))
        for average, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
            average.copy_(buffer)
        self.steps += 1
