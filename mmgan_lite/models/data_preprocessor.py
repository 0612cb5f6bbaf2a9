"""From a batch of the data loader to the tensors of a model, and from images back to bytes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmgan_lite.registry import MODELS
from mmgan_lite.utils.image_batch import batch_labels, stack_images

_DTYPES = {8: torch.uint8, 16: torch.uint16}
_REMEDIES = {
    8: 'Leave normalizing to the data preprocessor; 16 bits need its bit_depth=16.',
    16: 'Give the dataset bit_depth=16 too, or take it out of the data preprocessor.',
}


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
    """Images of 8 or 16 bits to float32 images of -1 to 1 on the model's device.

    The pixels cross to the device, a quarter or half of what floats would weigh, and become floats
    there in one step for the batch. Takes what the datasets of mmgan_lite give (one tensor), and
    those of other MM projects give: a list of images, and ``data_samples`` that carry ``gt_label``.

    On the way to a GPU a batch goes through pinned memory, so that the CPU need not wait for the
    copy; one that the data loader pinned already (``pin_memory=True``) is not copied again.

    Args:
        non_blocking: Not used; MMEngine's interface.
        bit_depth: 8 for uint8 images of 0 to 255; 16 for uint16 images of 0 to 65,535, of a dataset
            with ``bit_depth=16``. The samples of a model have the same.

    Raises:
        ValueError: If ``bit_depth`` is neither.

    Example:
        >>> preprocessor = ImageBatchPreprocessor()
        >>> batch = dict(inputs=torch.tensor([[[[0, 255]]]], dtype=torch.uint8), labels=[7])
        >>> preprocessor(batch)
        {'inputs': tensor([[[[-1.,  1.]]]]), 'labels': tensor([7])}
    """

    def __init__(self, non_blocking: bool | None = False, bit_depth: int = 8) -> None:
        super().__init__(non_blocking)
        if type(bit_depth) is not int or bit_depth not in _DTYPES:
            raise ValueError(
                f'bit_depth must be 8 or 16, got {bit_depth!r}. Pass 16 where the dataset has '
                'bit_depth=16, and else 8.'
            )
        self.bit_depth = bit_depth
        self._dtypes = (_DTYPES[bit_depth],)
        self._half = (2**bit_depth - 1) / 2
        self._remedy = _REMEDIES[bit_depth]

    def forward(self, data: Mapping[str, Any], training: bool = False) -> dict[str, Tensor]:
        """A batch as the model takes it.

        Args:
            data: ``inputs``, or ``source`` and ``target`` of translation: ``(N, C, H, W)`` or a
                list of N ``(C, H, W)``, uint8, or uint16 with ``bit_depth=16``; where the data has
                labels, ``labels`` (N ints) or ``data_samples`` (N objects with ``gt_label``).
            training: Not used; MMEngine's interface.

        Returns:
            The images by their names, float32 ``(N, C, H, W)`` in [-1, 1], and ``labels``, int64
            ``(N,)``, if any.

        Raises:
            ValueError: If there are no images, they differ in shape or have another dtype, or
                labels are not ints.
        """
        given = data if isinstance(data, Mapping) else {}
        batch = {
            name: self._to_floats(name, given[name])
            for name in ('inputs', 'source', 'target')
            if given.get(name) is not None
        }
        if not batch:
            found = sorted(data) if isinstance(data, Mapping) else type(data).__name__
            raise ValueError(
                f"A batch must hold its images under 'inputs', got {found}. "
                "End the dataset's pipeline with dict(type='PackImage')."
            )
        labels = batch_labels(data)
        return batch if labels is None else batch | dict(labels=self._to_device(labels))

    def _to_floats(self, name: str, images: Any) -> Tensor:
        images = stack_images(images, name, self._remedy, self._dtypes)
        # In place on the fresh float tensor: one allocation a batch.
        return self._to_device(images).float().sub_(self._half).div_(self._half)

    def _to_device(self, tensor: Tensor) -> Tensor:
        if self.device.type == 'cuda' and tensor.device.type == 'cpu' and not tensor.is_pinned():
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    @staticmethod
    def to_uint8(images: Tensor) -> Tensor:
        """Float images in [-1, 1] back to uint8 of 0 to 255, rounded; what lies outside is cut."""
        return images.float().mul(127.5).add(127.5).round().clamp(0, 255).to(torch.uint8)

    @staticmethod
    def to_uint16(images: Tensor) -> Tensor:
        """The same to uint16 of 0 to 65,535."""
        return images.float().mul(32767.5).add(32767.5).round().clamp(0, 65535).to(torch.uint16)
