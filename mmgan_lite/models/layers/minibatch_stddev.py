"""Standard deviation over a batch as an additional feature map."""

import torch
from torch import Tensor, nn


class MinibatchStddev(nn.Module):
    """Append one channel with the mean standard deviation over the batch.

    Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, section 3: the standard
    deviation of each feature over the batch, averaged over features and pixels to one number, which
    shows a discriminator that fakes are all alike. So a logit depends on the other images of its
    batch, in eval mode too; a batch of one image has the deviation 0.

    Example:
        >>> same = torch.ones(4, 2, 3, 3)
        >>> MinibatchStddev()(same).shape
        torch.Size([4, 3, 3, 3])
    """

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C + 1, H, W)`` from float ``(N, C, H, W)``."""
        # A square of bfloat16 keeps too little of a small difference.
        precise = features.to(torch.promote_types(features.dtype, torch.float32))
        # Several times as fast on a CPU as ``var``.
        variance = (precise - precise.mean(0)).square().mean(0)
        # The small number keeps the gradient of the root finite where all images are the same.
        deviation = (variance + 1e-8).sqrt().mean().to(features.dtype)
        return torch.cat([features, deviation.expand_as(features[:, :1])], dim=1)
