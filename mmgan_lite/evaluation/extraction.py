"""From images to features."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor

# Inception's images of 299x299 fill a GPU soon.
_BATCH = 250


@torch.no_grad()
def extract(extractor: FeatureExtractor, images: Tensor) -> Extracted:
    """Features of uint8 images, some at a time, in float32 whatever autocast is on.

    Args:
        extractor: On the device of the images.
        images: uint8 ``(N, C, H, W)``, N >= 1.

    Returns:
        What was found, on the CPU.

    Raises:
        ValueError: If a feature is not finite, or what was found is not two-dimensional.
    """
    with (
        torch.autocast(images.device.type, enabled=False),
        # TF32 would round the features of one image differently from those on a CPU.
        torch.backends.cudnn.flags(enabled=True, allow_tf32=False),
    ):
        parts = [extractor(part) for part in images.split(_BATCH)]
    features = torch.cat([part.features.float().cpu() for part in parts])
    logits = None
    if parts[0].logits is not None:
        logits = torch.cat([part.logits.float().cpu() for part in parts])
    for what, tensor in (('features', features), ('logits', logits)):
        if tensor is not None and not tensor.isfinite().all():
            raise ValueError(
                f'{extractor.name} must give finite {what}, got '
                f'{int((~tensor.isfinite()).sum())} that are not. Look at its weights.'
            )
    return Extracted(features, logits)


def stack_images(images: Any, name: str) -> Tensor:
    """One uint8 tensor ``(N, C, H, W)`` from a tensor or a sequence of images.

    Raises:
        ValueError: If an image is missing, they differ in shape, or are not uint8.
    """
    if isinstance(images, Sequence):
        if any(image is None for image in images):
            raise ValueError(
                f'{name} must be in each data sample of the model, got one without. Evaluate a GAN.'
            )
        shapes = sorted({tuple(image.shape) for image in images})
        if len(shapes) > 1:
            raise ValueError(f'{name} must be of one shape, got {shapes}. Resize the images.')
        images = torch.stack(list(images))
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(
            f'{name} must be uint8 (N, C, H, W) of 0 to 255, got {images.dtype} '
            f"{tuple(images.shape)}. Turn floats back by the model's data_preprocessor.to_uint8."
        )
    return images
