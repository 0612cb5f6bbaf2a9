"""Training data that fits on the GPU is copied once, instead of a batch at a time."""

import functools
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmgan_lite.registry import FUNCTIONS, HOOKS

# A share of the memory that is free once the model is there. MNIST's 47 MB fit anywhere.
_MAX_SHARE = 0.25


@runtime_checkable
class _HoldsImages(Protocol):
    """A data set with all images in one tensor."""

    images: Tensor
    pipeline: Any

    def to(self, device: torch.device) -> object: ...


@HOOKS.register_module()
class DataPlacementHook(Hook):
    """Moves a data set in memory to the model's GPU before training, if it fits there.

    It fits if it takes at most a quarter of the free memory. Otherwise, and for data that workers
    or a pipeline prepare, that the data loader pins or that another function than
    ``image_collate`` collates, the batches are copied one by one through pinned memory. The log
    says which. Without a GPU it does nothing. :class:`SetupCheckHook` includes it.

    Example:
        >>> custom_hooks = [dict(type='DataPlacementHook')]
    """

    # Before any hook that reads a batch.
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Move the training data, or say why not."""
        device = next(runner.model.parameters()).device
        if device.type != 'cuda':
            return
        loader = runner.train_dataloader
        reason = _why_not(loader, device)
        if reason is None:
            loader.dataset.to(device)
            runner.logger.info(f'The training data lies on {device}.')
        else:
            runner.logger.info(
                f'The training data stays in main memory, because {reason}; '
                f'batches go to {device} through pinned memory.'
            )


def _why_not(loader: DataLoader, device: torch.device) -> str | None:
    dataset = loader.dataset
    if not isinstance(dataset, _HoldsImages):
        return f'{type(dataset).__name__} does not hold it as one tensor'
    if loader.num_workers > 0:
        return 'worker processes read it (num_workers > 0)'
    if loader.pin_memory:
        return 'the data loader pins it (pin_memory=True)'
    if dataset.pipeline.transforms:
        return 'it goes through a pipeline'
    # Any other takes image after image and label after label, and waits for each.
    collate_fn = loader.collate_fn
    if isinstance(collate_fn, functools.partial):
        collate_fn = collate_fn.func
    if collate_fn is not FUNCTIONS.get('image_collate'):
        return 'the collate function is not image_collate'
    size, free = dataset.images.nbytes, torch.cuda.mem_get_info(device)[0]
    if size > _MAX_SHARE * free:
        return (
            f'its {size / 2**20:,.0f} MiB are more than {_MAX_SHARE:.0%} of the '
            f'{free / 2**20:,.0f} MiB that are free'
        )
    return None
