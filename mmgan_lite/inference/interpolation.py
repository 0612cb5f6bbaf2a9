"""Interpolation between latents and between classes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmgan_lite.models import GAN
from mmgan_lite.utils.interpolation import lerp, slerp
from mmgan_lite.utils.validation import check_positive

INTERPOLATIONS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = dict(slerp=slerp, lerp=lerp)


def path_frames(
    name: str, values: Sequence[int] | None, steps: int, loop: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Split a path through points into frames, ``steps`` from each point to the next.

    Args:
        name: What the error calls the points.
        values: At least two, each at least 0.
        steps: At least 1.
        loop: Whether the path returns to the first point.

    Returns:
        For each of T frames the point before it and the point after it, int64 ``(T, 1)``, and its
        fraction of the distance, float32 ``(T, 1)``.

    Raises:
        ValueError: If there are fewer points than two, one is not an int of at least 0, or
            ``steps`` < 1.

    Example:
        >>> [frames.flatten().tolist() for frames in path_frames('points', [5, 7], steps=2)]
        [[5, 5, 5], [7, 7, 7], [0.0, 0.5, 1.0]]
    """
    points = list(values or ())
    if len(points) < 2 or not all(isinstance(p, (int, np.integer)) and p >= 0 for p in points):
        raise ValueError(f'{name} must be at least two ints >= 0, such as (0, 1), got {points}.')
    check_positive('steps', steps)
    points += points[:1] if loop else []
    frames = [(a, b, step / steps) for a, b in pairwise(points) for step in range(steps)]
    frames.append((points[-2], points[-1], 1.0))  # the last point ends the last frame
    starts, ends, fractions = (torch.tensor(column) for column in zip(*frames, strict=True))
    return starts.unsqueeze(1), ends.unsqueeze(1), fractions.unsqueeze(1)


@contextmanager
def blended_classes(model: GAN, ends: Tensor, fractions: Tensor) -> Iterator[None]:
    """Blend each label with another class, inside the block.

    Each embedding of the classes in the generator is interpolated linearly: one that is appended to
    the latents, or gains and biases of a normalization. Brock et al. 2019 (BigGAN),
    arXiv:1809.11096, show such images.

    Args:
        model: A conditional GAN whose generator embeds its classes by ``nn.Embedding``.
        ends: int64 ``(N,)``; the other class of each of the N images of a batch.
        fractions: Float ``(N,)``, 0 for the given label and 1 for the other class.

    Raises:
        ValueError: If the generator has no such embedding.
    """
    embeddings = [
        module
        for network in (model.generator, model.generator_ema or nn.Identity())
        for module in network.modules()
        if isinstance(module, nn.Embedding) and module.num_embeddings == model.num_classes
    ]
    if not embeddings:
        name = type(model.generator).__name__
        text = 'classes can be blended if the generator embeds them by nn.Embedding, but'
        reason = f'{name} has none of num_classes={model.num_classes}'
        raise ValueError(f'{text} {reason}. Draw each class by itself, with labels=...')

    def blend(module: nn.Embedding, _inputs: Any, vectors: Tensor) -> Tensor:
        others = module.forward(ends.to(vectors.device))
        return torch.lerp(vectors, others, fractions.to(vectors).unsqueeze(1))

    with ExitStack() as stack:
        for embedding in embeddings:
            stack.enter_context(embedding.register_forward_hook(blend))
        yield
