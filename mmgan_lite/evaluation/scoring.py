"""A quick look at fakes without a Runner."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from mmgan_lite.evaluation.extractors import FeatureExtractor, MNISTClassifier
from mmgan_lite.evaluation.metrics import Comparison, ConditionalAccuracy, FrechetDistance, Samples
from mmgan_lite.utils.validation import check_positive


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
        order = torch.arange(check_positive('num', num))
        labels = None if fakes.num_classes is None else order % fakes.num_classes
        fakes = torch.cat([_draw(fakes, part, labels, use_ema) for part in order.split(250)])
    fake = Samples(*extractor.extract(fakes), None if labels is None else labels.cpu())
    comparison = Comparison(fake, Samples(*extractor.extract(reals)))
    result: dict[str, Any] = {f'FID{extractor.tag}': FrechetDistance().compute(comparison)['FID']}
    if fake.logits is not None:
        shown = one_hot(fake.logits.argmax(1), fake.logits.shape[1])
        result['classes'] = shown.float().mean(0).tolist()
        if fake.labels is not None:
            result |= ConditionalAccuracy().compute(comparison)
            by_class = [shown[fake.labels == i, i] for i in range(shown.shape[1])]
            result['accuracy_by_class'] = [float(hits.double().mean()) for hits in by_class]
    return result


def _draw(gan: Any, order: Tensor, labels: Tensor | None, use_ema: bool) -> Tensor:
    images = gan.sample(len(order), None if labels is None else labels[order], use_ema=use_ema)
    return gan.data_preprocessor.to_uint8(images).cpu()
