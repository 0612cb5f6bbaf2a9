"""Twice the size and half of it without aliasing.

The filter of Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN,
arXiv:1912.04958: [1, 2, 1] * [1, 1] = [1, 3, 3, 1] along each side, and zeros beyond the edge. For
:class:`BlurPool` that of Zhang 2019, Making Convolutional Networks Shift-Invariant Again,
arXiv:1904.11486.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Resample(nn.Module):
    kernel: Tensor

    def __init__(self, gain: float, filter_taps: Sequence[float] = (1.0, 3.0, 3.0, 1.0)) -> None:
        super().__init__()
        taps = torch.tensor(filter_taps) / sum(filter_taps)
        # A constant, so it belongs in no checkpoint.
        self.register_buffer('kernel', gain * torch.outer(taps, taps)[None, None], persistent=False)

    def _kernels(self, features: Tensor) -> Tensor:
        return self.kernel.to(features.dtype).expand(features.shape[1], -1, -1, -1)


class LowPass(_Resample):
    """The filter alone, after a transposed convolution or before one with a stride.

    Args:
        padding: Zeros beyond each edge, in pixels.
        gain: Factor of the mean; 4 after a doubling that put zeros between the pixels.

    Example:
        >>> LowPass(padding=2)(torch.ones(1, 1, 4, 4))[0, 0, 2]
        tensor([0.5000, 0.8750, 1.0000, 0.8750, 0.5000])
    """

    def __init__(self, padding: int, gain: float = 1.0) -> None:
        super().__init__(gain)
        self.padding = padding

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C, H + 2 * padding - 3, W + 2 * padding - 3)`` from ``(N, C, H, W)``."""
        kernels = self._kernels(features)
        return F.conv2d(features, kernels, padding=self.padding, groups=features.shape[1])


class FilteredUpsample(_Resample):
    """Both sides doubled by linear interpolation; the mean stays, but for the edges.

    Example:
        >>> FilteredUpsample()(torch.ones(1, 1, 2, 2))[0, 0, 1]
        tensor([0.7500, 1.0000, 1.0000, 0.7500])
    """

    def __init__(self) -> None:
        super().__init__(gain=4)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C, 2H, 2W)`` from float ``(N, C, H, W)``."""
        kernels = self._kernels(features)
        return F.conv_transpose2d(features, kernels, stride=2, padding=1, groups=features.shape[1])


class FilteredDownsample(_Resample):
    """Both sides halved after low-pass filtering; the mean stays, but for the edges.

    Example:
        >>> FilteredDownsample()(torch.ones(1, 1, 8, 8))[0, 0, 1]
        tensor([0.8750, 1.0000, 1.0000, 0.8750])
    """

    def __init__(self) -> None:
        super().__init__(gain=1)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C, H/2, W/2)`` from float ``(N, C, H, W)`` with even H and W."""
        kernels = self._kernels(features)
        return F.conv2d(features, kernels, stride=2, padding=1, groups=features.shape[1])


class BlurPool(_Resample):
    """Both sides halved after the filter [1, 2, 1]; beyond each edge is its reflection.

    Example:
        >>> BlurPool()(torch.arange(6.0).expand(1, 1, 6, 6))[0, 0, 0]
        tensor([0.5000, 2.0000, 4.0000])
    """

    def __init__(self) -> None:
        super().__init__(gain=1, filter_taps=(1.0, 2.0, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C, H/2, W/2)``, rounded up, from ``(N, C, H, W)``; H and W at least 2."""
        padded = F.pad(features, (1, 1, 1, 1), mode='reflect')
        return F.conv2d(padded, self._kernels(features), stride=2, groups=features.shape[1])
