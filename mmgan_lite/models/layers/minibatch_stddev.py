"""Standard deviation over a batch as an additional feature map."""

import torch
from torch import Tensor, nn

from mmgan_lite.utils.validation import check_positive


class MinibatchStddev(nn.Module):
    """Append channels with the mean standard deviation over the batch, or over groups of it.

    Karras et al. 2018, Progressive Growing of GANs, arXiv:1710.10196, section 3: the standard
    deviation of each feature over the batch, averaged over features and pixels to one number, which
    shows a discriminator that fakes are all alike. So a logit depends on the other images of its
    batch, in eval mode too; a batch of one image has the deviation 0.

    Args:
        group_size: Images in a group, at least 1; image i is in group ``i mod (N / group_size)``. A
            batch of another size takes its largest divisor that is not above. None for the batch.
        num_channels: Channels to append, at least 1: the features are averaged in as many parts.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> same = torch.ones(4, 2, 3, 3)
        >>> MinibatchStddev()(same).shape
        torch.Size([4, 3, 3, 3])
    """

    def __init__(self, group_size: int | None = None, num_channels: int = 1) -> None:
        super().__init__()
        self.group_size = None if group_size is None else check_positive('group_size', group_size)
        self.num_channels = check_positive('num_channels', num_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Float ``(N, C + num_channels, H, W)`` from float ``(N, C, H, W)``."""
        # A square of bfloat16 keeps too little of a small difference.
        precise = features.to(torch.promote_types(features.dtype, torch.float32))
        if self.group_size is None and self.num_channels == 1:
            # The small number keeps the gradient of the root finite where all images are the same.
            deviation = (_variance(precise) + 1e-8).sqrt().mean().to(features.dtype)
            return torch.cat([features, deviation.expand_as(features[:, :1])], dim=1)
        num, (height, width) = len(features), features.shape[2:]
        limit = num if self.group_size is None else min(self.group_size, num)
        size = next(size for size in range(limit, 0, -1) if num % size == 0)
        grouped = precise.unflatten(1, (self.num_channels, -1)).unflatten(0, (size, -1))
        deviation = (_variance(grouped) + 1e-8).sqrt().mean((2, 3, 4)).to(features.dtype)
        maps = deviation.repeat(size, 1)[:, :, None, None].expand(-1, -1, height, width)
        return torch.cat([features, maps], dim=1)


def _variance(features: Tensor) -> Tensor:
    """Over the first dimension; several times as fast on a CPU as ``var``."""
    return (features - features.mean(0)).square().mean(0)
