"""The last step of an image pipeline, random crops and flips, and the building of pipelines.

Other steps are those of ``mmcv.transforms``. mmcv is optional: it is imported when a
pipeline names a transform that is not known yet, as this import registers those of mmcv.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mmgan_lite.registry import TRANSFORMS, build_part
from mmgan_lite.utils.validation import check_image_size


@TRANSFORMS.register_module()
class PackImage:
    """Last step of a pipeline: converts mmcv's names to the item of a dataset here.

    Example:
        >>> item = PackImage()(dict(img=np.zeros((8, 6, 3), dtype=np.uint8), gt_label=3))
        >>> item['inputs'].shape, item['labels']
        (torch.Size([3, 8, 6]), 3)
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack ``img`` and ``gt_label``, if there is one; the rest is dropped.

        Args:
            results: Holds ``img``, a uint8 array in 0..255 or a uint16 array in 0..65535, of shape
                ``(H, W, C)``, or ``(H, W)`` as ``mmcv.Resize`` returns a gray image; optionally
                ``gt_label``, an int.

        Returns:
            ``inputs``, a tensor of the same dtype and of shape ``(C, H, W)``, and ``labels``, an
            int, if labeled.

        Raises:
            ValueError: If ``img`` is not such an array.
        """
        image = results['img']
        is_array = isinstance(image, np.ndarray) and image.ndim in (2, 3)
        if not is_array or (image.dtype != np.uint8 and image.dtype != np.uint16):
            found = type(image).__name__
            if isinstance(image, np.ndarray):
                found = f'{image.dtype} of shape {image.shape}'
            raise ValueError(
                'img must be a uint8 or uint16 array of shape (H, W) or (H, W, C) in PackImage, '
                f'got {found}. Leave Normalize and ImageToTensor out: the model scales the images.'
            )
        if image.ndim == 2:
            image = image[:, :, None]
        image = np.ascontiguousarray(image.transpose(2, 0, 1))
        item: dict[str, Any] = dict(inputs=torch.from_numpy(image))
        if 'gt_label' in results:
            item['labels'] = int(results['gt_label'])
        return item


@TRANSFORMS.register_module()
class RandomCropFlip:
    """Cuts a random part out of an image, and mirrors every other one.

    Args:
        crop_size: Height and width of the part in pixels; an int for a square; None for all.
        flip: Whether to exchange left and right with probability 1/2.

    Raises:
        ValueError: If ``crop_size`` is not as described, or, when it is used, larger than an image.

    Example:
        >>> crop = RandomCropFlip(crop_size=(2, 3), flip=True)
        >>> crop(dict(img=np.zeros((8, 6, 3), dtype=np.uint8)))['img'].shape
        (2, 3, 3)
    """

    def __init__(self, crop_size: int | Sequence[int] | None = None, flip: bool = False) -> None:
        self.crop_size = None if crop_size is None else check_image_size(crop_size, minimum=1)
        self.flip = flip

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``img``, an array of shape ``(H, W)`` or ``(H, W, C)``, and ``img_shape``."""
        image = results['img']
        if self.crop_size is not None:
            (height, width), (rows, columns) = self.crop_size, image.shape[:2]
            if rows < height or columns < width:
                raise ValueError(
                    f'crop_size must be at most the size of an image, got {height}x{width} for '
                    f'{rows}x{columns}. Resize the images first, or crop less.'
                )
            # torch's random numbers: those of a worker follow from the seed and the batch.
            top = int(torch.randint(rows - height + 1, ()))
            left = int(torch.randint(columns - width + 1, ()))
            image = image[top : top + height, left : left + width]
        if self.flip and torch.rand(()) < 0.5:
            image = image[:, ::-1]
        results.update(img=np.ascontiguousarray(image), img_shape=image.shape[:2])
        return results


def build_transforms(pipeline: Sequence[Mapping | Callable]) -> list[Callable]:
    """Build the steps of a pipeline, mmcv's among them if mmcv is installed.

    Args:
        pipeline: Configs of transforms, or callables, which pass through.

    Raises:
        ValueError: If a step is unknown and mmcv, which may have it, is not installed; or if it
            names no ``type``.
    """
    transforms = []
    for position, step in enumerate(pipeline):
        name = step.get('type') if isinstance(step, Mapping) else None
        if isinstance(name, str) and TRANSFORMS.get(name) is None:
            try:
                importlib.import_module('mmcv.transforms')
            except ModuleNotFoundError as error:
                # An mmcv that lacks one of its own dependencies raises its own error.
                if error.name not in ('mmcv', 'mmcv.transforms'):
                    raise
                raise ValueError(
                    f'pipeline[{position}] must name a known transform, got {name!r}, and mmcv, '
                    "which has most of them, is missing. Run: pip install 'mmgan-lite[mmcv]'"
                ) from None
        transforms.append(build_part(TRANSFORMS, step, f'pipeline[{position}]'))
    return transforms


def run_pipeline(pipeline: Callable, info: dict[str, Any]) -> dict[str, Any] | None:
    """The item that a pipeline makes of an image under mmcv's names; None if it rejects it.

    Raises:
        ValueError: If the pipeline does not end in a transform that packs ``inputs``.
    """
    item = pipeline(info)
    if item is not None and 'inputs' not in item:
        raise ValueError(
            'pipeline must end in a transform that packs the image as inputs, got an item with '
            f"{', '.join(item)}. Append dict(type='PackImage') to it."
        )
    return item
