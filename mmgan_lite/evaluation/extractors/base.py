"""Base of the networks that extract features for metrics."""

import hashlib
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmgan_lite.utils.image_batch import join_columns
from mmgan_lite.utils.precision import full_precision

# Inception's images of 299x299 fill a GPU soon.
_BATCH = 250


class Extracted(NamedTuple):
    """Features of N images.

    ``features`` is float32 ``(N, F)``. ``logits`` is float32 ``(N, K)``, one for each class, or
    None where the extractor is no classifier.
    """

    features: Tensor
    logits: Tensor | None


class FeatureExtractor(nn.Module):
    """A fixed network; a subclass gives ``forward``, ``name`` and ``fingerprint``.

    ``name`` is part of the name of every score. ``fingerprint``, a sha256 in hexadecimal,
    identifies the weights: scores and cached features of different weights are never mixed.
    ``resizing`` is what it does to the size of an image, in words, for the protocol of a score.

    One that changes the channels of an image has ``describe_channels`` too.

    A subclass ends its ``__init__`` with ``self.freeze()``.
    """

    name: str
    fingerprint: str
    resizing: str = 'not resized'

    @property
    def tag(self) -> str:
        """Suffix of the name of a score: scores of different extractors do not compare."""
        return f'[{self.name}]'

    def describe_channels(self, channels: int) -> str | None:
        """What it does to images of as many channels, in words, for the protocol of a score.

        None if it takes them as they are.
        """
        return None

    def forward(self, images: Tensor) -> Extracted:
        """Features, and logits of the classes if there are any.

        Args:
            images: uint8 ``(N, C, H, W)`` of 0 to 255, or float32 of about this range, which need
                not be whole: ``PerceptualPathLength`` compares images that are equal as bytes.

        Raises:
            ValueError: If the network takes no such images.
        """
        raise NotImplementedError

    @torch.no_grad()
    def extract(self, images: Tensor) -> Extracted:
        """Features of any number of images in float32, whatever autocast is on.

        Args:
            images: ``(N, C, H, W)`` as for ``forward``, N >= 1; moved to the device of the
                extractor.

        Returns:
            Features and logits, on the CPU.

        Raises:
            ValueError: If a feature is not finite, or the extractor takes no such images.
        """
        images = images.to(next(iter(self.state_dict().values()), images).device)
        # TF32 would round the features of one image differently from those on a CPU.
        with full_precision(images.device):
            parts = [self(part) for part in images.split(_BATCH)]
        columns = join_columns(parts, lambda column: torch.cat(column).float().cpu())
        for what, tensor in zip(('features', 'logits'), columns, strict=True):
            if tensor is not None and not tensor.isfinite().all():
                raise ValueError(
                    f'{self.name} must give finite {what}, got '
                    f'{int((~tensor.isfinite()).sum())} that are not. Look at its weights.'
                )
        return Extracted(*columns)

    def freeze(self) -> None:
        """Set eval mode, float32 and no gradients."""
        self.float().requires_grad_(False).eval()

    def train(self, mode: bool = True) -> 'FeatureExtractor':
        """Stay in eval mode whatever ``mode`` is: an extractor is never trained."""
        return super().train(False)


def state_fingerprint(module: nn.Module) -> str:
    """The sha256 of a module's structure, parameters and buffers.

    It does not cover the code of ``forward``: two classes of one structure that scale their input
    differently need different names.
    """
    digest = hashlib.sha256(f'{type(module).__qualname__} {module!r}'.encode())
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f'{name} {tensor.dtype} {tuple(tensor.shape)}'.encode())
        # Bytes, because numpy has no bfloat16.
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()
