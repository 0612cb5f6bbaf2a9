"""Distributions of latents, the inputs of a generator."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive


class _Latents(nn.Module):
    """Draws latents; a subclass maps torch's random numbers to its distribution."""

    def forward(
        self,
        num: int,
        dim: int,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> Tensor:
        """Draw latents.

        Args:
            num: How many, at least 1.
            dim: Numbers in each, at least 1.
            generator: Random numbers, drawn on its device, so that one on the CPU gives the same
                latents on any device; None for torch's global ones on ``device``.
            device: Where the latents shall be; None for where they are drawn.

        Returns:
            Float32 ``(num, dim)``.

        Raises:
            ValueError: If ``num`` or ``dim`` is not an int of at least 1.
        """
        shape = check_positive('num', num), check_positive('dim', dim)
        source = device if generator is None else generator.device
        # float32 also under another default dtype.
        latents = self._draw(shape, generator=generator, device=source, dtype=torch.float32)
        return latents if device is None else latents.to(device)

    def _draw(self, shape: tuple[int, int], **options: Any) -> Tensor:
        return torch.randn(shape, **options)


@MODELS.register_module()
class NormalLatents(_Latents):
    """Standard normal latents, N(0, 1): those of most GANs.

    Example:
        >>> NormalLatents()(4, 128).shape
        torch.Size([4, 128])
    """


@MODELS.register_module()
class UniformLatents(_Latents):
    """Uniform latents, U(-1, 1): Radford et al. 2016 (DCGAN), arXiv:1511.06434.

    Example:
        >>> bool((UniformLatents()(4, 128).abs() <= 1).all())
        True
    """

    def _draw(self, shape: tuple[int, int], **options: Any) -> Tensor:
        return torch.rand(shape, **options).mul_(2).sub_(1)


@MODELS.register_module()
class TruncatedNormalLatents(UniformLatents):
    """Normal latents within [-``threshold``, ``threshold``].

    The distribution of N(0, 1) whose values beyond the threshold are drawn again: Brock et al. 2019
    (BigGAN), arXiv:1809.11096. Narrower samples are more alike and of better quality. The variance
    is less than 1: 0.774 for a threshold of 2.

    Differs: nothing is drawn again; the inverse of the distribution function is taken of uniform
    draws, which reads no values from the device.

    Args:
        threshold: The largest magnitude, > 0.

    Raises:
        ValueError: If ``threshold`` is not a positive, finite number.

    Example:
        >>> bool((TruncatedNormalLatents(threshold=0.5)(4, 128).abs() <= 0.5).all())
        True
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        if not isinstance(threshold, (int, float)) or not 0 < threshold < math.inf:
            raise ValueError(
                f'threshold must be a positive, finite number, got {threshold!r}. Pass '
                'threshold=2.0, or take NormalLatents for latents without bounds.'
            )
        self.threshold = threshold

    def _draw(self, shape: tuple[int, int], **options: Any) -> Tensor:
        inside = math.erf(self.threshold / math.sqrt(2))  # the mass of N(0, 1) within the bounds
        latents = super()._draw(shape, **options).mul_(inside).erfinv_().mul_(math.sqrt(2))
        # For rounding; where the mass is 1 in float32, the inverse at its end is infinite.
        return latents.clamp_(-self.threshold, self.threshold)

    def extra_repr(self) -> str:
        """Arguments shown by ``print(model)``."""
        return f'threshold={self.threshold}'
