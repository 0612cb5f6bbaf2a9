"""From images to features."""

import torch
from torch import Tensor

from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor

# Inception's images of 299x299 fill a GPU soon.
_BATCH = 250


@torch.no_grad()
def extract(extractor: FeatureExtractor, images: Tensor) -> Extracted:
    """Features of uint8 images in float32, whatever autocast is on.

    Args:
        extractor: Its device is the one that is used.
        images: uint8 ``(N, C, H, W)``, N >= 1.

    Returns:
        Features and logits, on the CPU.

    Raises:
        ValueError: If a feature is not finite, or the extractor does not take such images.
    """
    images = images.to(next(iter(extractor.state_dict().values()), images).device)
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
