"""Draw images from a trained GAN."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmgan_lite.models import GAN

# A fixed size makes an image depend on its seed and index alone: linear algebra libraries round
# differently in batches of different sizes.
_CHUNK = 64


def draw_images(
    model: GAN,
    num: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    use_ema: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Draw uint8 images; image i of a seed is the same whatever ``num`` is.

    Args:
        model: A trained GAN.
        num: How many, at least 1.
        seed: Of the latents, and of the labels where they are drawn.
        labels: Classes, taken in turn until there are ``num``; None draws them at random where the
            model is conditional.
        use_ema: Whether to draw from the average of the weights, where there is one.

    Returns:
        Images, uint8 ``(num, C, H, W)``, and their labels, int64 ``(num,)`` or None, on the CPU.

    Raises:
        ValueError: If ``num`` or a label is out of its range, or the model has no classes.
    """
    if num < 1:
        raise ValueError(f'num must be at least 1, got {num}. Pass num=64 for a grid of 8 by 8.')
    if labels is not None and model.num_classes is None:
        raise ValueError(
            f'labels must be None for a model without classes, got {list(labels)}. '
            'Train a conditional model to choose classes.'
        )
    if labels is not None and len(labels) == 0:
        raise ValueError('labels must name at least one class, got none. Pass labels=[3, 7].')
    latents, drawn = _draw_inputs(model, num, seed)
    chosen = drawn if labels is None else [labels[i % len(labels)] for i in range(num)]

    chunks = []
    for start in range(0, num, _CHUNK):
        part = slice(start, start + _CHUNK)
        chunk = latents[part]
        padding = _CHUNK - len(chunk)
        padded = torch.cat([chunk, chunk[:1].expand(padding, -1)])
        padded_labels = None
        if chosen is not None:
            padded_labels = [*chosen[part], *(chosen[start],) * padding]
        images = model.sample(_CHUNK, labels=padded_labels, latents=padded, use_ema=use_ema)
        chunks.append(model.data_preprocessor.to_uint8(images[: len(chunk)]).cpu())
    return torch.cat(chunks), None if chosen is None else torch.tensor(chosen)


def _draw_inputs(model: GAN, num: int, seed: int) -> tuple[Tensor, list[int] | None]:
    """Latents and random labels, one image at a time, so that more of them change none before."""
    generator = torch.Generator().manual_seed(seed)
    latents, labels = [], []
    for _ in range(num):
        latents.append(model.sample_latents(1, generator).cpu())
        if model.num_classes is not None:
            labels.append(int(torch.randint(model.num_classes, (1,), generator=generator)))
    return torch.cat(latents), labels or None
