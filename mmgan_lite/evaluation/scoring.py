"""A quick look at fakes without a Runner."""

from typing import Any

import torch
from torch import Tensor

from mmgan_lite.evaluation.extraction import extract
from mmgan_lite.evaluation.extractors import FeatureExtractor, MNISTClassifier
from mmgan_lite.evaluation.torch_fidelity_adapter import frechet_distance
from mmgan_lite.utils.validation import check_positive

_BATCH = 250


def score(
    fakes: Any,
    reals: Tensor,
    labels: Tensor | None = None,
    num: int = 10_000,
    extractor: FeatureExtractor | None = None,
    use_ema: bool = True,
) -> dict[str, Any]:
    """Fréchet distance of fakes to real images, their classes, and whether these were asked for.

    Args:
        fakes: uint8 ``(N, C, H, W)``, or a GAN to draw ``num`` from, with its classes in turn
            where it is conditional.
        reals: uint8 ``(M, C, H, W)``.
        labels: int64 ``(N,)``, what the fakes given as images should show; None if nobody asked.
        num: How many to draw from a GAN, at least 1.
        extractor: None for :class:`MNISTClassifier`.
        use_ema: Whether the GAN draws from the average of its weights, where there is one.

    Returns:
        The distance, under a name such as 'FID[mnist-classifier]'; with a classifier also
        ``classes``, the share of each, and with labels ``accuracy`` and ``accuracy_by_class``
        (NaN for a class that was not asked for).

    Raises:
        ValueError: If images or ``num`` are not as described.
    """
    extractor = extractor or MNISTClassifier()
    if not isinstance(fakes, Tensor):
        fakes, labels = _draw(fakes, check_positive('num', num), use_ema)
    for name, images in (('fakes', fakes), ('reals', reals)):
        if len(images) < 2:
            raise ValueError(f'{name} must be at least 2 images, got {len(images)}. Pass more.')
    features, logits = extract(extractor, fakes.cpu())
    real_features = extract(extractor, reals.cpu()).features
    distance = frechet_distance(features, real_features)
    result: dict[str, Any] = {f'FID{extractor.tag}': distance}
    if logits is None:
        return result
    classes, num_classes = logits.argmax(1), logits.shape[1]
    counts = torch.bincount(classes, minlength=num_classes)
    result['classes'] = (counts / len(classes)).tolist()
    if labels is not None:
        labels = labels.cpu()
        right = (classes == labels).double()
        result['accuracy'] = float(right.mean())
        result['accuracy_by_class'] = [
            float(right[labels == label].mean()) for label in range(num_classes)
        ]
    return result


def _draw(gan: Any, num: int, use_ema: bool) -> tuple[Tensor, Tensor | None]:
    """uint8 images of a GAN, and the labels that it was asked for, on the CPU."""
    labels = None if gan.num_classes is None else torch.arange(num) % gan.num_classes
    images = []
    for start in range(0, num, _BATCH):
        size = min(_BATCH, num - start)
        asked = None if labels is None else labels[start : start + size]
        drawn = gan.sample(size, labels=asked, use_ema=use_ema)
        images.append(gan.data_preprocessor.to_uint8(drawn).cpu())
    return torch.cat(images), labels
