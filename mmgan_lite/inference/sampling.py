"""Draw images from a trained GAN."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.models import GAN

# A fixed size makes an image depend on its seed and index alone: linear algebra libraries round
# differently in batches of different sizes.
CHUNK = 64

# A class by its number or its name, or several of them.
Labels = int | str | Sequence[int | str] | Tensor | np.ndarray


def draw_images(
    model: GAN,
    num: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    use_ema: bool = True,
    truncation: float = 1.0,
) -> tuple[Tensor, Tensor | None]:
    """Draw uint8 images; image i of a seed is the same whatever ``num`` is.

    Args:
        model: A trained GAN.
        num: Number of images, at least 1.
        seed: Seed of the latents, and of random labels.
        labels: Classes, cycled through until there are ``num``; None draws them at random if the
            model is conditional.
        use_ema: Whether to draw from the average of the weights, if there is one.
        truncation: Factor of the latents, in [0, 1].

    Returns:
        Images, uint8 ``(num, C, H, W)``, and their labels, int64 ``(num,)`` or None, on the CPU.

    Raises:
        ValueError: If an argument is out of its range, the model has no classes, or an image is not
            finite.
    """
    latents, chosen = draw_inputs(model, num, seed, labels)
    images = render(model, latents, chosen, use_ema, truncation)
    return images, None if chosen is None else torch.tensor(chosen)


def draw_inputs(
    model: GAN, num: int, seed: int = 0, labels: Sequence[int] | None = None
) -> tuple[Tensor, list[int] | None]:
    """Draw the inputs of :func:`draw_images`; the arguments are the same.

    Returns:
        Latents, float32 ``(num, latent_dim)`` on the CPU, and ``num`` labels, or None without
        classes.

    Raises:
        ValueError: If ``num``, ``seed`` or a label is out of its range, or the model has no
            classes.
    """
    if isinstance(num, bool) or not isinstance(num, int) or num < 1:
        raise ValueError(
            f'num must be at least 1, and an int, got {num!r}. Pass num=64 for a grid of 8 by 8.'
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
        raise ValueError(f'seed must be an int of 64 bits, got {seed!r}. Pass seed=0.')
    check_labels(model, labels)
    latents, drawn = _draw_each(model, num, seed)
    return latents, drawn if labels is None else [labels[i % len(labels)] for i in range(num)]


def label_indices(labels: Labels | None, classes: Sequence[str] | None) -> list[int] | None:
    """Labels, by number or name, as a list of class indices; None stays None.

    Raises:
        ValueError: If a name is not in ``classes``, the names in the order of the labels.
    """
    if labels is None:
        return None
    if isinstance(labels, (Tensor, np.ndarray)):
        labels = labels.reshape(-1).tolist()
    elif isinstance(labels, (int, str, np.integer)):
        labels = [labels]
    return [_index(label, classes or ()) for label in labels]


def _index(label: Any, classes: Sequence[str]) -> Any:
    if isinstance(label, str) and label not in classes:
        known = ', '.join(classes) or 'none; pass numbers'
        raise ValueError(
            f'labels must be numbers or names of classes, got {label!r}. The names are: {known}.'
        )
    return classes.index(label) if isinstance(label, str) else label


def check_labels(model: GAN, labels: Sequence[int] | None) -> None:
    """Raise ``ValueError`` unless the labels are at least one class of the model, or None."""
    if labels is None:
        return
    if model.num_classes is None:
        raise ValueError(
            f'labels must be None for a model without classes, got {list(labels)}. '
            'Train a conditional model to choose classes.'
        )
    if len(labels) == 0:
        raise ValueError('labels must name at least one class, got none. Pass labels=[3, 7].')
    if not all(isinstance(label, (int, np.integer)) for label in labels):
        raise ValueError(f'labels must be ints, got {list(labels)}. Pass labels=[3, 7].')
    if min(labels) < 0 or max(labels) >= model.num_classes:
        raise ValueError(
            f'labels must lie in [0, {model.num_classes}), got {min(labels)} to {max(labels)}. '
            f'The model was built with num_classes={model.num_classes}.'
        )


def render(
    model: GAN,
    latents: Tensor,
    labels: Sequence[int] | None = None,
    use_ema: bool = True,
    truncation: float = 1.0,
) -> Tensor:
    """Draw images of given latents; each depends on its own latents and label alone.

    Args:
        model: A trained GAN.
        latents: Float ``(N, latent_dim)``, N at least 1.
        labels: N classes; None for a model without them.
        use_ema: Whether to draw from the average of the weights, if there is one.
        truncation: Factor of the latents, in [0, 1].

    Returns:
        uint8 ``(N, C, H, W)``, on the CPU.

    Raises:
        ValueError: If an argument is out of its range, or an image is not finite.
    """
    chunks = []
    for start in range(0, len(latents), CHUNK):
        part = slice(start, start + CHUNK)
        chunk = latents[part]
        padding = CHUNK - len(chunk)
        padded = torch.cat([chunk, chunk[:1].expand(padding, -1)])
        padded_labels = None
        if labels is not None:
            padded_labels = [*labels[part], *(labels[start],) * padding]
        images = model.sample(
            CHUNK, labels=padded_labels, latents=padded, use_ema=use_ema, truncation=truncation
        )[: len(chunk)]
        _check_finite(images, model, use_ema)
        chunks.append(model.data_preprocessor.to_uint8(images).cpu())
    return torch.cat(chunks)


def non_finite_names(state: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]]) -> list[str]:
    """Names of the tensors with NaN or infinity."""
    named = state.items() if isinstance(state, Mapping) else state
    return [name for name, value in named if not bool(torch.isfinite(value).all())]


def _draw_each(model: GAN, num: int, seed: int) -> tuple[Tensor, list[int] | None]:
    """Latents and random labels, image by image, so that image i does not depend on ``num``."""
    generator = torch.Generator().manual_seed(seed)
    latents, labels = [], []
    for _ in range(num):
        latents.append(model.sample_latents(1, generator).cpu())
        if model.num_classes is not None:
            labels.append(int(torch.randint(model.num_classes, (1,), generator=generator)))
    return torch.cat(latents), labels or None


def _check_finite(images: Tensor, model: GAN, use_ema: bool) -> None:
    """Raise for NaN or infinity, which would be black and white pixels as uint8."""
    average = model.generator_ema if use_ema else None
    network, name = (
        (model.generator, 'generator') if average is None else (average, 'generator_ema')
    )
    # A tanh hides infinity, so the weights are checked too.
    broken = non_finite_names(network.state_dict(prefix=f'{name}.'))
    if not broken and bool(images.isfinite().all()):
        return
    cause = f'{broken[0]} is not finite' if broken else 'all weights are finite'
    raise ValueError(
        f'The generator must give finite images, got NaN or infinity ({cause}). The training has '
        'diverged: take an earlier checkpoint, or train with a lower learning rate.'
    )
