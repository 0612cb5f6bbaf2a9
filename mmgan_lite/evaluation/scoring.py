"""A quick look at fakes without a Runner."""

from typing import Any

import torch
from torch import Tensor

from mmgan_lite.evaluation.extraction import extract
from mmgan_lite.evaluation.extractors import FeatureExtractor, MNISTClassifier
from mmgan_lite.evaluation.metrics import Comparison, ConditionalAccuracy, FrechetDistance, Samples
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
    """Fréchet distance between fakes and real images, shares of the classes, and accuracy.

    The metrics are those of :class:`~mmgan_lite.evaluation.GANEvaluator`, which is for a config.

    Args:
        fakes: uint8 ``(N, C, H, W)``, or a GAN to draw ``num`` from, with its classes in turn
            where it is conditional.
        reals: uint8 ``(M, C, H, W)``.
        labels: int64 ``(N,)``, the class that each fake should show; None without labels.
        num: How many to draw from a GAN, at least 1.
        extractor: None for :class:`MNISTClassifier`.
        use_ema: Whether the GAN draws from the average of its weights, where there is one.

    Returns:
        The distance, under a name such as 'FID[mnist-classifier]'; with a classifier also
        ``classes``, the share of each, and with labels ``accuracy`` and ``accuracy_by_class``
        (NaN for a class without fakes).

    Raises:
        ValueError: If images, labels or ``num`` are not as described.
    """
    extractor = extractor or MNISTClassifier()
    if not isinstance(fakes, Tensor):
        fakes, labels = _draw(fakes, check_positive('num', num), use_ema)
    fake = Samples(*extract(extractor, fakes), None if labels is None else labels.cpu())
    comparison = Comparison(fake, Samples(*extract(extractor, reals)))
    result: dict[str, Any] = {
        name + extractor.tag: value for name, value in FrechetDistance().compute(comparison).items()
    }
    if fake.logits is None:
        return result
    classes, num_classes = fake.logits.argmax(1), fake.logits.shape[1]
    result['classes'] = (torch.bincount(classes, minlength=num_classes) / len(classes)).tolist()
    if fake.labels is not None:
        result |= ConditionalAccuracy().compute(comparison)
        right = (classes == fake.labels).double()
        result['accuracy_by_class'] = [
            float(right[fake.labels == label].mean()) for label in range(num_classes)
        ]
    return result


def _draw(gan: Any, num: int, use_ema: bool) -> tuple[Tensor, Tensor | None]:
    """uint8 images of a GAN, and the labels that it was given, on the CPU."""
    labels = None if gan.num_classes is None else torch.arange(num) % gan.num_classes
    images = []
    for start in range(0, num, _BATCH):
        part = None if labels is None else labels[start : start + _BATCH]
        drawn = gan.sample(min(_BATCH, num - start), labels=part, use_ema=use_ema)
        images.append(gan.data_preprocessor.to_uint8(drawn).cpu())
    return torch.cat(images), labels
