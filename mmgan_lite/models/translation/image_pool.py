"""Earlier fakes, which the discriminator sees again.

Shrivastava et al. 2017, Learning from Simulated and Unsupervised Images through Adversarial
Training, arXiv:1612.07828, section 2.3.
"""

from typing import Any

import torch
from torch import Tensor, nn

from mmgan_lite.utils.validation import check_positive


class ImagePool(nn.Module):
    """Keeps images, and gives back half of a batch from them.

    Until the pool is full, all images are kept and given back. After that, each is given back with
    probability 1/2; otherwise one of the pool is given back, and the new one takes its place.
    Nothing waits for the device: the choices are drawn on the CPU.

    Args:
        size: Images in the pool, at least 1.

    Attributes:
        images: Float ``(size, C, H, W)``, in checkpoints, as is the next; empty before the first
            batch.
        count: int64 tensor without dimensions: images in the pool.

    Example:
        >>> pool = ImagePool(2)
        >>> fakes = torch.randn(2, 1, 4, 4)
        >>> torch.equal(pool.query(fakes), fakes)
        True
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int = 50) -> None:
        super().__init__()
        self.size = check_positive('size', size)
        self.register_buffer('images', torch.empty(0))
        self.register_buffer('count', torch.tensor(0))
        self._count = 0  # the same in Python: a step must not ask the device for a number
        self.register_load_state_dict_pre_hook(_make_room)
        self.register_load_state_dict_post_hook(_read_count)

    @torch.no_grad()
    def query(self, fakes: Tensor) -> Tensor:
        """Images for the discriminator.

        Args:
            fakes: Float ``(N, C, H, W)``, without gradient; all calls of one shape and dtype.

        Returns:
            The same number of images.
        """
        if self.images.numel() == 0:
            self.images = fakes.new_zeros(self.size, *fakes.shape[1:])
        new = min(len(fakes), self.size - self._count)
        if new:
            self.images[self._count : self._count + new] = fakes[:new]
            self._count += new
            self.count += new
        rest = fakes[new:]
        places = torch.randperm(self.size)[: len(rest)]
        chosen = (torch.rand(len(places)) < 0.5).nonzero()[:, 0]
        if len(chosen) == 0:
            return fakes
        seen = fakes.clone()
        places, rows = places[chosen].to(fakes.device), (chosen + new).to(fakes.device)
        seen[rows] = self.images[places]
        self.images[places] = fakes[rows]
        return seen


def _make_room(pool: Any, state: dict, prefix: str, *args: Any) -> None:
    """Before the first batch the shape of the images is not known."""
    images = state.get(f'{prefix}images')
    if images is not None and images.shape != pool.images.shape:
        pool.images = pool.images.new_zeros(images.shape)


def _read_count(pool: Any, _incompatible_keys: Any) -> None:
    pool._count = int(pool.count)
