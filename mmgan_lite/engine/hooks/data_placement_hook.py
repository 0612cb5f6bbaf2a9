"""Training data that fits goes onto the GPU once, instead of a batch at a time."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite.registry import FUNCTIONS, HOOKS

# A share of the memory that is free once the model is there. MNIST's 47 MB fit anywhere.
_MAX_SHARE = 0.25


@HOOKS.register_module()
class DataPlacementHook(Hook):
    """Moves a data set in memory to the model's GPU before training, if it fits there.

    Fits means at most a quarter of the memory that is free. Otherwise, and for data that workers
    or a pipeline prepare, that the data loader pins or that another function than
    ``image_collate`` collates, the batches are copied one by one through pinned memory. The log
    says which. Without a GPU there is nothing to do.

    Example:
        >>> default_hooks = dict(data_placement=dict(type='DataPlacementHook'))
    """

    # Before any hook that reads a batch.
    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Move the training data, or say why not."""
        device = _device(runner.model)
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


def _device(model: nn.Module) -> torch.device:
    bare: Any = model.module if is_model_wrapper(model) else model
    return next(bare.parameters()).device


def _why_not(loader: DataLoader, device: torch.device) -> str | None:
    dataset: Any = loader.dataset
    if not hasattr(dataset, 'images') or not hasattr(dataset, 'to'):
        return f'{type(dataset).__name__} does not hold it as one tensor'
    if loader.num_workers > 0:
        return 'worker processes read it (num_workers > 0)'
    if loader.pin_memory:
        return 'the data loader pins it (pin_memory=True)'
    if dataset.pipeline.transforms:
        return 'it goes through a pipeline'
    # Any other takes image after image and label after label, and waits for each.
    collate_fn = getattr(loader.collate_fn, 'func', loader.collate_fn)
    if collate_fn is not FUNCTIONS.get('image_collate'):
        return 'the collate function is not image_collate'
    size, free = dataset.images.nbytes, torch.cuda.mem_get_info(device)[0]
    if size > _MAX_SHARE * free:
        return (
            f'its {size / 2**20:,.0f} MiB are more than {_MAX_SHARE:.0%} of the '
            f'{free / 2**20:,.0f} MiB that are free'
        )
    return None
