"""Layers with an equalized learning rate: weights of N(0, 1), scaled when they are used.

Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, section 4.1: Adam moves all
weights at one rate, so that with He's constant in the forward pass, not in the start, each layer
learns at one speed whatever its width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class EqualizedLinear(nn.Linear):
    """Linear layer ``gain * W / sqrt(in_features) x + bias_gain * b`` with ``W ~ N(0, 1)``.

    Args:
        in_features: At least 1.
        out_features: At least 1.
        bias: Whether there is one.
        bias_init: What comes of the bias at the start, before ``bias_gain``.
        lr_multiplier: Factor of the rate that weight and bias learn at, over 0; what comes out at
            the start is the same. StyleGAN's mapping network has 0.01.
        gain: Factor of the weight.
        bias_gain: Factor of the bias.

    Example:
        >>> layer = EqualizedLinear(64, 8, lr_multiplier=0.01)
        >>> bool(80 < layer.weight.std() < 120)  # N(0, 1) / lr_multiplier
        True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        bias_init: float = 0.0,
        lr_multiplier: float = 1.0,
        gain: float = 1.0,
        bias_gain: float = 1.0,
    ) -> None:
        self.bias_init, self.lr_multiplier = bias_init, lr_multiplier
        super().__init__(in_features, out_features, bias)
        self.scale = gain * lr_multiplier / math.sqrt(in_features)
        self.bias_scale = bias_gain * lr_multiplier

    def reset_parameters(self) -> None:
        """Draw the weight; set the bias."""
        nn.init.normal_(self.weight, std=1 / self.lr_multiplier)
        if self.bias is not None:
            nn.init.constant_(self.bias, self.bias_init / self.lr_multiplier)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, out_features)`` from float ``(N, in_features)``."""
        bias = None if self.bias is None else self.bias * self.bias_scale
        return F.linear(features, self.weight * self.scale, bias)


class EqualizedConv2d(nn.Conv2d):
    """Convolution ``gain * W / sqrt(fan in) * x + bias_gain * b`` with ``W ~ N(0, 1)``.

    In the dtype of the features: float32 weights convolve bfloat16 features in bfloat16.

    Args:
        in_channels: At least 1.
        out_channels: At least 1.
        kernel_size: Side of the kernel in pixels, at least 1.
        stride: In pixels, at least 1.
        padding: Zeros beyond each edge, in pixels.
        bias: Whether there is one; it starts at 0.
        gain: Factor of the weight: sqrt(2) is He's constant for rectified features.
        bias_gain: Factor of the bias.

    Example:
        >>> layer = EqualizedConv2d(64, 128, 3, padding=1)
        >>> bool(0.9 < layer(torch.randn(8, 64, 8, 8))[:, :, 1:-1, 1:-1].std() < 1.1)
        True
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
        gain: float = 1.0,
        bias_gain: float = 1.0,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self.scale = gain / math.sqrt(self.weight[0].numel())
        self.bias_scale = bias_gain

    def reset_parameters(self) -> None:
        """Draw the weight; the bias is 0."""
        nn.init.normal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, out_channels, H', W')`` from float ``(N, in_channels, H, W)``."""
        weight = (self.weight * self.scale).to(features.dtype)
        bias = None if self.bias is None else (self.bias * self.bias_scale).to(features.dtype)
        return F.conv2d(features, weight, bias, self.stride, self.padding)


class EqualizedEmbedding(nn.Embedding):
    """Equalized linear layer on one-hot labels: ``W[label] / sqrt(num_classes) + b``.

    Args:
        num_embeddings: Number of labels, at least 1.
        embedding_dim: Numbers in the vector of a label, at least 1.

    Example:
        >>> EqualizedEmbedding(10, 4)(torch.tensor([3, 7])).shape
        torch.Size([2, 4])
    """

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        super().__init__(num_embeddings, embedding_dim)
        self.bias = nn.Parameter(torch.zeros(embedding_dim))

    def forward(self, labels: Tensor) -> Tensor:
        """Float ``(N, embedding_dim)`` from int64 ``(N,)``."""
        return super().forward(labels) / math.sqrt(self.num_embeddings) + self.bias
