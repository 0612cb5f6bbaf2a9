"""MS-SSIM of pairs of images: how alike they are, which says how diverse a set is.

Odena et al. 2017, Conditional Image Synthesis with Auxiliary Classifier GANs, arXiv:1610.09585;
without labels as in Karras et al. 2018, arXiv:1710.10196. The similarity: Wang et al. 2003,
Multi-scale Structural Similarity for Image Quality Assessment.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric, Samples
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.validation import check_positive

# The exponents of the scales in the paper, finest first.
_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_LEAST = 2 ** (len(_WEIGHTS) - 1)
_WINDOW, _SIGMA = 11, 1.5
# Of a range of 255: (0.01 * 255)^2 and (0.03 * 255)^2.
_C1, _C2 = 6.5025, 58.5225
_BATCH = 64


@METRICS.register_module()
class MSSSIM(GANMetric):
    """``MS-SSIM``, the mean similarity of pairs of fakes; lower is more diverse.

    1 for images that are all equal, about 0 for unrelated ones. Compare it with the real score: a
    generator that is as diverse as the data has the same, and one of noise a lower one. Real images
    have no other part in it.

    The fakes of a conditional model are compared within their classes, and so are real images for
    its real score; one that is alone in its class is in no pair. Each image is in two pairs.

    Five scales, by a window of 11x11 pixels, which is narrower at scales that are smaller than it,
    as in the code of Karras et al.

    Args:
        num_images: How many images, and pairs; at least 1, and all images where there are fewer.

    Raises:
        ValueError: If ``num_images`` is out of its range.
    """

    score_names = ('MS-SSIM',)
    needs = ('images',)

    def __init__(self, num_images: int = 10_000) -> None:
        super().__init__()
        self.num_images = check_positive('num_images', num_images)
        self.settings = dict(num_images=num_images)

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Score under 'MS-SSIM'; at least two fakes, of one class where they have labels.

        Raises:
            ValueError: If there are fewer, or a side is under 16 pixels.
        """
        self.require(comparison, fake=2)
        fake = comparison.fake[: self.num_images]
        assert fake.images is not None
        if min(fake.images.shape[2:]) < _LEAST:
            raise ValueError(
                f'MSSSIM needs images with sides of at least {_LEAST} pixels, got '
                f'{tuple(fake.images.shape[2:])}. Leave it out.'
            )
        first, second = _pairs(fake)
        if len(first) == 0:
            raise ValueError(
                f'MSSSIM needs at least 2 fake images of one class, got {len(fake)} of as many '
                'classes. Draw more, or take the metric out of the list.'
            )
        parts = zip(first.split(_BATCH), second.split(_BATCH), strict=True)
        similar = [ms_ssim(fake.images[left], fake.images[right]) for left, right in parts]
        return {'MS-SSIM': float(torch.cat(similar).double().mean())}


def ms_ssim(left: Tensor, right: Tensor) -> Tensor:
    """Similarity of images of 0 to 255.

    Args:
        left: ``(N, C, H, W)``, sides of at least 16.
        right: The same.

    Returns:
        Float32 ``(N,)``, in [0, 1]; 1 for equal images.

    Example:
        >>> image = torch.arange(256).view(1, 1, 16, 16)
        >>> ms_ssim(image, image)
        tensor([1.])
    """
    left, right = left.float(), right.float()
    similarity = torch.ones(len(left))
    for scale, weight in enumerate(_WEIGHTS):
        if scale:
            left, right = F.avg_pool2d(left, 2), F.avg_pool2d(right, 2)
        luminance, windows = _compare(left, right)
        if scale == len(_WEIGHTS) - 1:
            windows = luminance * windows
        # A negative mean has no root.
        similarity *= windows.mean((1, 2, 3)).clamp(min=0) ** weight
    return similarity


def ssim(left: Tensor, right: Tensor) -> Tensor:
    """Similarity of images of 0 to 255 at their own scale.

    Args:
        left: ``(N, C, H, W)``.
        right: The same.

    Returns:
        Float32 ``(N,)``, at most 1; 1 for equal images.
    """
    luminance, windows = _compare(left.float(), right.float())
    return (luminance * windows).mean((1, 2, 3))


def _compare(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, of each window inside the images."""
    moments = torch.cat([left, right, left.square() + right.square(), left * right])
    for dim in (2, 3):
        size = min(_WINDOW, *left.shape[2:])
        places = torch.arange(size, device=left.device) - (size - 1) / 2
        taps = torch.softmax(-0.5 * (places * _WINDOW / (_SIGMA * size)).square(), 0)
        kernel = taps.view(1, 1, size, 1) if dim == 2 else taps.view(1, 1, 1, size)
        blurred = F.conv2d(moments.flatten(0, 1)[:, None], kernel).squeeze(1)
        moments = blurred.unflatten(0, moments.shape[:2])
    mean, other, squares, products = moments.chunk(4)
    product, both = mean * other, mean.square() + other.square()
    luminance = (2 * product + _C1) / (both + _C1)
    contrast = (2 * (products - product) + _C2) / (squares - both + _C2)
    return luminance, contrast


def _pairs(samples: Samples) -> tuple[Tensor, Tensor]:
    """Each image and the next one, within the classes where there are labels."""
    order = torch.arange(len(samples))
    groups: list[Tensor] = [order]
    if samples.labels is not None:
        counts = samples.labels.unique(return_counts=True)[1].tolist()
        groups = [g for g in samples.labels.argsort(stable=True).split(counts) if len(g) > 1]
    nothing = order[:0]
    return torch.cat([nothing, *groups]), torch.cat([nothing, *(g.roll(1) for g in groups)])
