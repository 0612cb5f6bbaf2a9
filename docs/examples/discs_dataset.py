"""Synthetic images of white discs on black."""

import numpy as np

from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.registry import DATASETS


@DATASETS.register_module()
class DiscsDataset(InMemoryImageDataset):
    """Discs at random positions; labels: small (0) or large (1)."""

    METAINFO = {'classes': ('small', 'large')}

    def __init__(self, num_images=1000, image_size=28, seed=0, indices=None):
        self.num_images = num_images
        self.image_size = image_size
        self.seed = seed
        super().__init__(indices=indices)

    def load_images(self):
        """Images, uint8 ``(N, 1, H, W)`` in 0..255, and labels, ``(N,)`` ints >= 0."""
        random = np.random.default_rng(self.seed)
        labels = random.integers(0, 2, self.num_images)
        radius = self.image_size * np.where(labels == 1, 0.3, 0.15)
        x, y = random.uniform(0.3, 0.7, (2, self.num_images)) * self.image_size
        row, column = np.mgrid[: self.image_size, : self.image_size]
        distance = np.hypot(row - y[:, None, None], column - x[:, None, None])
        return 255 * (distance < radius[:, None, None]).astype(np.uint8)[:, None], labels
