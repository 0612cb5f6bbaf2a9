"""The way of a batch from the data loader into the model, and of images back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmgan_lite.registry import MODELS


@dataclass(eq=False)
class TrainingBatch:
    """What one iteration trains on. A model uses the fields that its data have.

    Unpacks as ``images, labels = batch``.

    Args:
        images: Float ``(N, C, H, W)`` in [-1, 1].
        labels: int64 ``(N,)``; None without labels.
        source: Images to translate, float ``(N, C, H, W)`` in [-1, 1].
        target: Images of the domain to translate to, float ``(N, C, H, W)`` in [-1, 1].
        outputs: What the networks gave in the current step; the step of the next player starts with
            it.
    """

    # None where the data have none; whoever reads a field knows that its data have it.
    images: Tensor = None  # type: ignore[assignment]
    labels: Tensor | None = None
    source: Tensor = None  # type: ignore[assignment]
    target: Tensor = None  # type: ignore[assignment]
    outputs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'TrainingBatch':
        """From what a data preprocessor gives: ``inputs``, ``labels``, ``source``, ``target``."""
        names = ('inputs', 'labels', 'source', 'target')
        return cls(*map(data.get, names))  # type: ignore[arg-type]

    def tensors(self) -> tuple[Tensor | None, ...]:
        """The fields without the outputs."""
        return self.images, self.labels, self.source, self.target

    def clone(self) -> 'TrainingBatch':
        """Copies of the fields without the outputs."""
        copies = (None if tensor is None else tensor.clone() for tensor in self.tensors())
        return TrainingBatch(*copies)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.images, self.labels))


@MODELS.register_module()
class ImageBatchPreprocessor(BaseDataPreprocessor):
    """uint8 images of 0 to 255 to float32 images of -1 to 1 on the model's device.

    The bytes cross to the device, a quarter of what floats would weigh, and become floats there in
    one step for the whole batch. Takes what our datasets give (one tensor), and what those of
    other MM projects give: a list of images, and ``data_samples`` that carry ``gt_label``.

    On the way to a GPU a batch goes through pinned memory, so that the CPU need not wait for the
    copy; one that the data loader pinned already (``pin_memory=True``) is taken as it is.

    Example:
        >>> preprocessor = ImageBatchPreprocessor()
        >>> batch = dict(inputs=torch.tensor([[[[0, 255]]]], dtype=torch.uint8), labels=[7])
        >>> preprocessor(batch)
        {'inputs': tensor([[[[-1.,  1.]]]]), 'labels': tensor([7])}
    """

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Tensor]:
        """A batch as the model takes it.

        Args:
            data: ``inputs``, uint8 ``(N, C, H, W)`` or a list of N ``(C, H, W)``; where the data
                has labels, ``labels`` (N ints) or ``data_samples`` (N objects with ``gt_label``).
            training: No part in it; MMEngine's interface.

        Returns:
            ``inputs``, float32 ``(N, C, H, W)`` in [-1, 1], and ``labels``, int64 ``(N,)``, if any.

        Raises:
            ValueError: If there are no images, they differ in shape or are not uint8, or labels are
                not ints.
        """
        images = _stack_images(data)
        # In place on the fresh float tensor: one allocation a batch.
        scaled = self._to_device(images).float().sub_(127.5).div_(127.5)
        labels = _labels(data)
        if labels is None:
            return dict(inputs=scaled)
        return dict(inputs=scaled, labels=self._to_device(labels))

    def _to_device(self, tensor: Tensor) -> Tensor:
        if self.device.type == 'cuda' and tensor.device.type == 'cpu' and not tensor.is_pinned():
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    @staticmethod
    def to_uint8(images: Tensor) -> Tensor:
        """Float images in [-1, 1] back to uint8 of 0 to 255, rounded; what lies outside is cut."""
        return images.float().mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8)


def _stack_images(data: Mapping[str, Any]) -> Tensor:
    images = data.get('inputs') if isinstance(data, Mapping) else None
    if images is None:
        found = sorted(data) if isinstance(data, Mapping) else type(data).__name__
        raise ValueError(
            f"A batch must hold its images under 'inputs', got {found}. "
            "End the dataset's pipeline with dict(type='PackImage')."
        )
    if not isinstance(images, Tensor):
        shapes = sorted({tuple(image.shape) for image in images})
        if len(shapes) > 1:
            raise ValueError(
                f'inputs must be of one shape in a batch, got {shapes}. '
                'Resize or crop them in the pipeline of the dataset.'
            )
        images = torch.stack(list(images))
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ValueError(
            f'inputs must be uint8 (N, C, H, W) of 0 to 255, got {images.dtype} '
            f'{tuple(images.shape)}. Leave normalizing to the data preprocessor.'
        )
    return images


def _labels(data: Mapping[str, Any]) -> Tensor | None:
    labels = data.get('labels')
    samples = data.get('data_samples')
    if labels is None and isinstance(samples, Sequence) and len(samples) > 0:
        labels = [getattr(sample, 'gt_label', None) for sample in samples]
        if any(label is None for label in labels):
            return None
    if labels is None:
        return None
    # gt_label is a tensor of shape (1,) in MMPretrain and a plain int elsewhere.
    labels = torch.as_tensor(labels).reshape(-1)
    if labels.is_floating_point():
        raise ValueError(
            f'labels must be ints, got {labels.dtype}. Number the classes 0, 1, 2, ...'
        )
    return labels.to(torch.int64)
