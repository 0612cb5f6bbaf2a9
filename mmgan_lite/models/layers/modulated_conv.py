"""Convolutions whose weights are scaled by a style, another for each image.

Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN, arXiv:1912.04958,
section 2.2.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgan_lite.models.layers.equalized import EqualizedLinear
from mmgan_lite.models.layers.resampling import LowPass
from mmgan_lite.utils.precision import without_autocast

# For LeakyReLU 0.2 in all of StyleGAN2, about He's constant: the variance stays.
LEAKY_GAIN = math.sqrt(2)


class ModulatedConv2d(nn.Module):
    """Convolution with a weight of its own for each image: ``s_i W_oi``, with ``s`` of its style.

    With demodulation each output feature's weights are divided by their norm, so that features of
    unit variance stay so under any style. The two forms give the same:

    - grouped: one convolution of N groups with the N weights;
    - input-scaled: ``s`` times the features, one convolution with ``W``, the norms at the end.

    Args:
        in_channels: At least 1.
        out_channels: At least 1.
        kernel_size: Odd side of the kernel in pixels; 3 where ``up``.
        style_dim: Numbers in a style.
        up: Whether both sides are doubled: a transposed convolution and the low-pass filter.
        demodulate: Whether the weights are divided by their norm.
        gain: Factor of what comes out.

    Example:
        >>> layer = ModulatedConv2d(8, 4, 3, style_dim=16, up=True)
        >>> layer(torch.randn(2, 8, 5, 5), torch.randn(2, 16)).shape
        torch.Size([2, 4, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        style_dim: int,
        up: bool = False,
        demodulate: bool = True,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.affine = EqualizedLinear(style_dim, in_channels, bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.low_pass = LowPass(padding=1, gain=4) if up else None
        self.demodulate, self.gain = demodulate, gain
        self.scale = 1 / math.sqrt(self.weight[0].numel())

    def forward(
        self, features: Tensor, styles: Tensor, bias: Tensor | None = None, grouped: bool = False
    ) -> Tensor:
        """Convolved features.

        Args:
            features: Float ``(N, in_channels, H, W)``; the convolution is in their dtype.
            styles: Float ``(N, style_dim)``.
            bias: Float ``(out_channels,)``, added after the gain; None for none.
            grouped: Which of the two forms is computed.

        Returns:
            Float ``(N, out_channels, H, W)``, both sides doubled where ``up``.
        """
        inner, outer = self._factors(features, styles)
        if grouped:
            weights = self.weight * inner[:, None, :, None, None] * outer[:, :, None, None, None]
            out = self._convolve(features, weights.to(features.dtype))
            return out if bias is None else out + bias.to(out.dtype)[:, None, None]
        features = features * inner.to(features.dtype)[:, :, None, None]
        out = self._convolve(features, self.weight.to(features.dtype)[None])
        outer = outer.to(out.dtype)[:, :, None, None]
        if bias is None:
            return out * outer
        return torch.addcmul(bias.to(out.dtype)[:, None, None], out, outer)

    def _factors(self, features: Tensor, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Of the input features ``(N, in_channels)`` and of the output features ``(N, out_...)``.

        Outside autocast: a norm of numbers rounded to bfloat16 is wrong by as much as they are.
        """
        with without_autocast(styles.device):
            inner = self.affine(styles)
            if not self.demodulate:
                return inner * self.scale, inner.new_full((1, 1), self.gain)
            if features.dtype == torch.float16:
                # The norm takes it out again, and the sums of the convolution stay below 65504.
                inner = inner / inner.abs().amax(1, keepdim=True).clamp(min=1e-8)
            inner = inner * self.scale
            squares = F.linear(inner.square(), self.weight.square().sum((2, 3)))
            return inner, self.gain * (squares + 1e-8).rsqrt()

    def _convolve(self, features: Tensor, weights: Tensor) -> Tensor:
        """With one weight for all, or with one for each: ``(1 or N, O, I, k, k)``."""
        num, out_channels, _, side, _ = weights.shape
        shape = features.shape
        if num > 1:
            features = features.reshape(1, -1, *shape[2:])
        if self.low_pass is None:
            out = F.conv2d(features, weights.flatten(0, 1), padding=side // 2, groups=num)
        else:
            transposed = weights.transpose(1, 2).flatten(0, 1)
            out = F.conv_transpose2d(features, transposed, stride=2, groups=num)
        out = out.reshape(shape[0], out_channels, *out.shape[2:])
        return out if self.low_pass is None else self.low_pass(out)


class StyledConv2d(nn.Module):
    """Modulated 3x3 convolution, noise, bias and LeakyReLU 0.2.

    Args:
        in_channels: At least 1.
        out_channels: At least 1.
        style_dim: Numbers in a style.
        size: Height and width of what comes out, in pixels.
        up: Whether both sides are doubled.
        gain: Factor of what comes out.
        clamp: Largest magnitude of what comes out; None for no bound.

    Attributes:
        noise_strength: Factor of the noise, learned from 0.
        noise_const: Noise of 'const', float32 ``size``; a buffer.

    Example:
        >>> layer = StyledConv2d(8, 4, style_dim=16, size=(5, 5))
        >>> layer(torch.randn(2, 8, 5, 5), torch.randn(2, 16), noise='none').shape
        torch.Size([2, 4, 5, 5])
    """

    noise_const: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        style_dim: int,
        size: tuple[int, int],
        up: bool = False,
        gain: float = 1.0,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.gain = gain * LEAKY_GAIN
        self.clamp = None if clamp is None else clamp * gain
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up, gain=self.gain)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer('noise_const', torch.randn(size))

    def forward(
        self, features: Tensor, styles: Tensor, noise: str, grouped: bool = False
    ) -> Tensor:
        """Features of the next layer.

        Args:
            features: Float ``(N, in_channels, H, W)``.
            styles: Float ``(N, style_dim)``.
            noise: 'random', anew for each image and pixel; 'const', the same for all; or 'none'.
            grouped: Which form of the convolution is computed.

        Returns:
            Float ``(N, out_channels, *size)``.
        """
        out = self.conv(features, styles, self.bias * self.gain, grouped)
        if noise != 'none':
            values = self.noise_const
            if noise == 'random':
                values = torch.randn(len(out), 1, *out.shape[2:], device=out.device)
            out = out + (values * (self.noise_strength * self.gain)).to(out.dtype)
        # Both gains are in the factors: LeakyReLU of a multiple is the multiple.
        out = F.leaky_relu(out, 0.2)
        return out if self.clamp is None else out.clamp(-self.clamp, self.clamp)


class StyledToImage(nn.Module):
    """Modulated 1x1 convolution to the channels of an image, without demodulation.

    Args:
        in_channels: At least 1.
        image_channels: At least 1.
        style_dim: Numbers in a style.
        clamp: Largest magnitude of a pixel; None for no bound.

    Example:
        >>> StyledToImage(8, 3, style_dim=16)(torch.randn(2, 8, 5, 5), torch.randn(2, 16)).shape
        torch.Size([2, 3, 5, 5])
    """

    def __init__(
        self, in_channels: int, image_channels: int, style_dim: int, clamp: float | None = None
    ) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, image_channels, 1, style_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(image_channels))
        self.clamp = clamp

    def forward(self, features: Tensor, styles: Tensor, grouped: bool = False) -> Tensor:
        """Float ``(N, image_channels, H, W)`` from ``(N, in_channels, H, W)`` and styles."""
        out = self.conv(features, styles, self.bias, grouped)
        return out if self.clamp is None else out.clamp(-self.clamp, self.clamp)
