"""Collate the items of a dataset to a batch.

A PyTorch loader reads items and then collates them. For images in one tensor, N small dicts cost
more than the rest of a small GAN's iteration. So the dataset returns an :class:`ImageBatch`, which
is collated already and has the interface of a list of items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.dataset import default_collate

from mmgan_lite.registry import FUNCTIONS

# Names of the two images of an item for translation.
PAIR = {'source', 'target'}


# No generated __eq__: comparing tensors gives tensors, which have no truth value.
@dataclass(frozen=True, eq=False)
class ImageBatch(Sequence):
    """A batch of images that can be read as the sequence of its items.

    Any collate function that takes a list of dicts also takes this; ``image_collate`` takes the
    tensors as they are.

    Args:
        inputs: Images, uint8 or uint16 of shape ``(N, C, H, W)``.
        labels: Class indices, int64 of shape ``(N,)``; None without labels.

    Example:
        >>> batch = ImageBatch(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([7, 3]))
        >>> len(batch), batch[1]['labels'], batch[1]['inputs'].shape
        (2, 3, torch.Size([1, 8, 8]))
    """

    inputs: torch.Tensor
    labels: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: Any) -> Any:
        """An item for an int, a batch for a slice."""
        labels = None if self.labels is None else self.labels[index]
        if isinstance(index, slice):
            return ImageBatch(self.inputs[index], labels)
        item: dict[str, Any] = {'inputs': self.inputs[index]}
        return item if labels is None else {**item, 'labels': int(labels)}


@FUNCTIONS.register_module()
def image_collate(batch: Sequence) -> dict[str, Any]:
    """Make one batch of an ``ImageBatch`` or of a list of items.

    Args:
        batch: An ``ImageBatch``, or dicts with ``inputs``, or ``source`` and ``target``, uint8 or
            uint16 of shape ``(C, H, W)``, and optionally ``labels`` (int), ``data_samples`` (data
            elements of an MM project) or ``name`` (of a file).

    Returns:
        The images, of the same dtype and of shape ``(N, C, H, W)``, and if the items have them
        ``labels``, int64 of shape ``(N,)``, ``data_samples`` and ``name`` as lists.

    Raises:
        ValueError: If an item holds no image, or the images differ in shape.

    Example:
        >>> item = dict(inputs=torch.zeros(1, 8, 8, dtype=torch.uint8), labels=3)
        >>> batch = image_collate([item, item])
        >>> batch['inputs'].shape, batch['labels']
        (torch.Size([2, 1, 8, 8]), tensor([3, 3]))
    """
    if isinstance(batch, ImageBatch):
        labels = {} if batch.labels is None else {'labels': batch.labels}
        return {'inputs': batch.inputs, **labels}
    are_pairs = all(isinstance(item, Mapping) and item.keys() >= PAIR for item in batch)
    for item in () if are_pairs else batch:
        if not isinstance(item, Mapping) or 'inputs' not in item:
            found = ', '.join(map(str, item)) if isinstance(item, Mapping) else repr(type(item))
            raise ValueError(
                f"Items must be dicts that hold the image under 'inputs', got {found}. "
                "End the dataset's pipeline with dict(type='PackImage')."
            )
    for name in sorted(PAIR) if are_pairs else ('inputs',):
        shapes = {tuple(item[name].shape): None for item in batch}
        if len(shapes) > 1:
            raise ValueError(
                f'The images of a batch must have one shape, got {" and ".join(map(str, shapes))}. '
                'Resize them: image_size=64, --image-size 64, or a Resize in the pipeline.'
            )
    return default_collate(batch)
