"""Draw images from a trained GAN."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import torch
from torch import Tensor

from mmgan_lite.inference.interpolation import blended_classes
from mmgan_lite.models import GAN, AdversarialModel
from mmgan_lite.models.styles import map_latents, synthesize
from mmgan_lite.utils.interfaces import HasBitDepth
from mmgan_lite.utils.validation import check_positive

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
    """Draw images; image i of a seed is the same whatever ``num`` is.

    Args:
        model: A trained GAN.
        num: Number of images, at least 1.
        seed: Seed of the latents, and of random labels.
        labels: Classes, cycled through until there are ``num``; None draws them at random if the
            model is conditional.
        use_ema: Whether to draw from the average of the weights, if there is one.
        truncation: Factor of the latents, in [0, 1].

    Returns:
        Images, ``(num, C, H, W)``, uint8, or uint16 of a model with ``bit_depth=16``, and their
        labels, int64 ``(num,)`` or None, on the CPU.

    Raises:
        ValueError: If an argument is out of its range, the model has no classes, or an image is not
            finite.
    """
    latents, chosen = draw_inputs(model, num, seed, label_indices(model, labels))
    return render(model, latents, chosen, use_ema, truncation), chosen


def draw_inputs(
    model: GAN, num: int, seed: int = 0, labels: Sequence[int] | None = None
) -> tuple[Tensor, Tensor | None]:
    """Draw the inputs of :func:`draw_images`, with labels that are checked.

    Returns:
        On the CPU: latents, float32 ``(num, latent_dim)``, and labels, int64 ``(num,)``, or None
        without classes.

    Raises:
        ValueError: If ``num`` or ``seed`` is out of its range.
    """
    check_positive('num', num)
    if isinstance(seed, bool) or not isinstance(seed, int) or not -(2**63) <= seed < 2**64:
        raise ValueError(f'seed must be an int of 64 bits, got {seed!r}. Pass seed=0.')
    generator = torch.Generator().manual_seed(seed)
    latents, drawn = [], []
    for _ in range(num):  # one by one, so that image i does not depend on ``num``
        latents.append(model.sample_latents(1, generator).cpu())
        if model.num_classes is not None:
            drawn.append(torch.randint(model.num_classes, (1,), generator=generator))
    chosen = torch.cat(drawn) if drawn else None
    if labels is not None:
        chosen = torch.tensor([labels[i % len(labels)] for i in range(num)])
    return torch.cat(latents), chosen


def label_indices(
    model: GAN, labels: Labels | None, classes: Sequence[str] | None = None
) -> list[int] | None:
    """Labels, by number or name, as a list of the model's classes; None stays None.

    Raises:
        ValueError: If a name is not in ``classes``, the names in the order of the labels; there is
            no label; or one is not a class of the model.
    """
    if labels is None:
        return None
    given = labels.tolist() if isinstance(labels, Tensor) else labels
    flat = np.asarray(given, dtype=object).reshape(-1).tolist()
    names, count = list(classes or ()), model.num_classes
    for label in flat:
        if isinstance(label, str) and label not in names:
            there = ', '.join(names) or 'none; pass numbers'
            text = f'labels must be numbers or names of classes, got {label!r}. The names are:'
            raise ValueError(f'{text} {there}.')
    indices = [names.index(label) if isinstance(label, str) else label for label in flat]
    if count is None:
        raise ValueError(f'labels must be None for a model without classes, got {flat}.')
    if not indices or not all(isinstance(index, (int, np.integer)) for index in indices):
        raise ValueError(f'labels must be at least one int, got {flat}. Pass labels=[3, 7].')
    if min(indices) < 0 or max(indices) >= count:
        raise ValueError(f'labels must lie in [0, {count}), got {min(indices)} to {max(indices)}.')
    return indices


def render(
    model: GAN,
    latents: Tensor,
    labels: Tensor | None = None,
    use_ema: bool = True,
    truncation: float = 1.0,
    blend: tuple[Tensor, Tensor] | None = None,
    truncation_cutoff: int | None = None,
) -> Tensor:
    """Draw images of given latents; each depends on its own latents and label alone.

    Args:
        model: A trained GAN.
        latents: Float ``(..., latent_dim)``, at least one.
        labels: Classes, int64, broadcastable to ``(...)``; None for a model without them.
        use_ema: Whether to draw from the average of the weights, if there is one.
        truncation: Factor of the distance to the mean, in W or of the latents, in [0, 1].
        blend: Other classes, as ``labels``, and their shares, float; None for ``labels`` alone.
        truncation_cutoff: The first so many layers are truncated; None for all.

    Returns:
        As :func:`draw_images`, ``(..., C, H, W)``.

    Raises:
        ValueError: If an argument is out of its range, or an image is not finite.
    """
    shape, latents = latents.shape[:-1], latents.flatten(0, -2)
    if labels is not None:
        labels = labels.expand(shape).flatten()
    blended = [part.expand(shape).flatten() for part in blend or ()]
    chunks = []
    for count, index in _chunks(len(latents)):
        given = None if labels is None else labels[index]
        with ExitStack() as stack:
            if blended:
                stack.enter_context(blended_classes(model, *(part[index] for part in blended)))
            truncated = (truncation, truncation_cutoff)
            images = model.sample(CHUNK, given, latents[index], None, use_ema, *truncated)
        chunks.append(_to_pixels(images[:count], model, use_ema))
    return torch.cat(chunks).unflatten(0, shape)


def draw_styles(
    model: GAN,
    latents: Tensor,
    labels: Tensor | None = None,
    use_ema: bool = True,
    truncation: float = 1.0,
    truncation_cutoff: int | None = None,
) -> Tensor:
    """Styles of given latents, for a generator with an intermediate latent space W.

    Args:
        model: A trained GAN.
        latents: Float ``(..., latent_dim)``, at least one.
        labels: Classes, int64, broadcastable to ``(...)``; None for a model without them.
        use_ema: Whether to take the average of the weights, if there is one.
        truncation: Factor of the distance to the mean style, in [0, 1].
        truncation_cutoff: The first so many layers are truncated; None for all.

    Returns:
        Float ``(..., num_ws, W)``, on the CPU.

    Raises:
        ValueError: If an argument is out of its range, or the generator has no styles.
    """
    shape, latents = latents.shape[:-1], latents.flatten(0, -2).to(model.device)
    if labels is not None:
        labels = labels.expand(shape).flatten().to(model.device)
    network, chunks = model.sampled_generator(use_ema), []
    for count, index in _chunks(len(latents)):
        given = None if labels is None else labels[index]
        ws = map_latents(network, latents[index], given, truncation, truncation_cutoff)
        chunks.append(ws[:count].cpu())
    return torch.cat(chunks).unflatten(0, shape)


def render_styles(model: GAN, ws: Tensor, use_ema: bool = True) -> Tensor:
    """Draw images of styles, each layer's own.

    Args:
        model: A trained GAN.
        ws: Float ``(..., num_ws, W)``, at least one.
        use_ema: Whether to draw from the average of the weights, if there is one.

    Returns:
        As :func:`draw_images`, ``(..., C, H, W)``.

    Raises:
        ValueError: If the generator has no styles, or an image is not finite.
    """
    shape, ws = ws.shape[:-2], ws.flatten(0, -3)
    network, chunks = model.sampled_generator(use_ema), []
    for count, index in _chunks(len(ws)):
        images = synthesize(network, ws[index].to(model.device))[:count]
        chunks.append(_to_pixels(images, model, use_ema))
    return torch.cat(chunks).unflatten(0, shape)


def _chunks(num: int) -> Iterator[tuple[int, list[int]]]:
    """How many are new in each chunk, and the indices of all of it, filled up with the first."""
    for start in range(0, num, CHUNK):
        stop = min(start + CHUNK, num)
        yield stop - start, [*range(start, stop), *[start] * (start + CHUNK - stop)]


def bit_depth_of(model: AdversarialModel) -> int:
    """Bits per channel of the images that a model was trained on, and of its samples: 8 or 16."""
    preprocessor = model.data_preprocessor
    return preprocessor.bit_depth if isinstance(preprocessor, HasBitDepth) else 8


def _to_pixels(images: Tensor, model: GAN, use_ema: bool) -> Tensor:
    _check_finite(images, model, use_ema)
    if bit_depth_of(model) == 16:
        return model.data_preprocessor.to_uint16(images).cpu()
    return model.data_preprocessor.to_uint8(images).cpu()


def non_finite_names(state: Mapping[str, Tensor]) -> list[str]:
    """Names of the tensors with NaN or infinity."""
    return [name for name, value in state.items() if not bool(value.isfinite().all())]


def _check_finite(images: Tensor, model: GAN, use_ema: bool) -> None:
    """Raise for NaN or infinity, which would be black and white pixels as uint8."""
    averaged = use_ema and model.generator_ema is not None
    name = 'generator_ema' if averaged else 'generator'
    # A tanh hides infinity, so the weights are checked too.
    broken = non_finite_names(model.get_submodule(name).state_dict(prefix=f'{name}.'))
    if not broken and bool(images.isfinite().all()):
        return
    raise not_finite_error(f'{broken[0]} is not finite' if broken else 'all weights are finite')


def not_finite_error(cause: str) -> ValueError:
    """The error of images that have no values, and their cause."""
    remedy = 'take an earlier checkpoint, or train with a lower learning rate.'
    text = f'The generator must give finite images, got NaN or infinity ({cause}).'
    return ValueError(f'{text} The training has diverged: {remedy}')
