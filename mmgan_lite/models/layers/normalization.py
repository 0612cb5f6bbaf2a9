"""Norms by the names that image-to-image networks have for them."""

from torch import nn

from mmgan_lite.utils.validation import check_choice

NORMS = dict(batch=nn.BatchNorm2d, instance=nn.InstanceNorm2d, none=nn.Identity)


def make_norm(norm: str, channels: int) -> nn.Module:
    """A norm of features ``(N, channels, H, W)``.

    Args:
        norm: 'batch', with a gain and a bias for each channel; 'instance', over the pixels of each
            image (Ulyanov et al. 2016, arXiv:1607.08022), without; or 'none'.
        channels: At least 1.

    Raises:
        ValueError: If ``norm`` is none of these.

    Example:
        >>> import torch
        >>> make_norm('instance', 8)(torch.randn(2, 8, 4, 4)).mean((2, 3)).abs().max() < 1e-5
        tensor(True)
    """
    return NORMS[check_choice('norm', norm, NORMS)](channels)
