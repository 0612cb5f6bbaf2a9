"""Path length regularization of generators with an intermediate latent space."""

import math
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmgan_lite.models.losses.regularizers import PenaltyBatch, Regularizer
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.interfaces import HasStyles
from mmgan_lite.utils.validation import check_fraction, check_positive


@MODELS.register_module()
class PathLengthRegularizer(Regularizer):
    """Draws the length of a step in the image for a step in W to its running mean.

    ``weight * E (||J_w^T y||_2 - a)^2`` with ``y ~ N(0, 1) / sqrt(H W)`` and ``a`` an exponential
    average of the lengths: Karras et al. 2020 (StyleGAN2), arXiv:1912.04958, section 3.2. Of a
    style for each of L layers the length is the root of the mean square over the layers.

    The generator must have ``mapping(latents, labels)`` -> styles ``(N, L, W)`` and
    ``synthesis(styles)`` -> images. The average takes in the lengths of all processes, in training
    mode; in eval mode it stays.

    Args:
        weight: Factor of the penalty, 0 or more.
        interval: Steps of the generator from one call to the next, at least 1.
        decay: How far the average moves to the newest lengths in a call, in [0, 1].
        batch_divisor: One image in so many is used, the first ones of the batch, at least 1.

    Attributes:
        mean_length: ``a``, float32 tensor without dimensions, from 0; in checkpoints.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        In a config: ``regularizers=[dict(type='PathLengthRegularizer')]``
    """

    name = 'path_length'
    player = 'generator'
    mean_length: Tensor

    def __init__(
        self,
        weight: float = 2.0,
        interval: int = 4,
        decay: float = 0.01,
        batch_divisor: int = 2,
    ) -> None:
        super().__init__(weight, interval)
        self.decay = check_fraction('decay', decay)
        self.batch_divisor = check_positive('batch_divisor', batch_divisor)
        self.register_buffer('mean_length', torch.zeros((), dtype=torch.float32))

    def check_network(self, network: nn.Module) -> None:
        """Raise ``ValueError`` if a generator has no intermediate latent space."""
        if not isinstance(network, HasStyles):
            raise ValueError(
                'PathLengthRegularizer needs a generator with mapping(latents, labels) and '
                f'synthesis(styles), but {type(network).__name__} has none. Take '
                'StyleGAN2Generator, or leave the regularizer out.'
            )

    def penalty(self, network: Any, batch: PenaltyBatch) -> Tensor:
        """Mean squared distance of the lengths to their average.

        Raises:
            ValueError: If the batch has no latents.
        """
        lengths = self.path_lengths(network, batch)
        if self.training:
            with torch.no_grad():
                newest = lengths.mean()
                all_reduce(newest, 'mean')
                self.mean_length.lerp_(newest, self.decay)
        return (lengths - self.mean_length).square().mean()

    def path_lengths(self, network: Any, batch: PenaltyBatch) -> Tensor:
        """Float32 ``(M,)``, of the first M images of the batch."""
        if batch.latents is None:
            raise ValueError(
                'PathLengthRegularizer needs the latents of the fakes, got None. Pass latents=...'
            )
        num = max(1, len(batch.latents) // self.batch_divisor)
        labels = None if batch.labels is None else batch.labels[:num]
        create_graph = torch.is_grad_enabled()
        with torch.enable_grad():
            styles = network.mapping(batch.latents[:num], labels)
            if not styles.requires_grad:  # of a frozen mapping network
                styles.requires_grad_()
            images = network.synthesis(styles)
            noise = torch.randn_like(images) / math.sqrt(images[0, 0].numel())
            return path_lengths(images, styles, noise, create_graph)


def path_lengths(
    images: Tensor, styles: Tensor, noise: Tensor, create_graph: bool = True
) -> Tensor:
    """Length of ``J^T noise`` for each image.

    Args:
        images: Float ``(N, C, H, W)``, computed from ``styles``.
        styles: Float ``(N, L, W)``.
        noise: As ``images``.
        create_graph: Whether the lengths can be differentiated.

    Returns:
        Float ``(N,)``: the root of the mean over L of the squared norms.

    Example:
        >>> styles = torch.ones(1, 2, 3, requires_grad=True)
        >>> images = styles.sum().expand(1, 1, 1, 1)
        >>> path_lengths(images, styles, torch.ones(1, 1, 1, 1))  # sqrt((3 + 3) / 2)
        tensor([1.7321])
    """
    (slopes,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=create_graph)
    # Its gradient where a length is 0 is 0, and not that of a root.
    return torch.linalg.vector_norm(slopes, dim=(1, 2)) / math.sqrt(styles.shape[1])
