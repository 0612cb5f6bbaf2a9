"""Mistakes that only data and model together show, found before the first iteration."""

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgan_lite.registry import HOOKS


@HOOKS.register_module()
class SetupCheckHook(Hook):
    """Holds the first sample and the data loader against the model before training starts.

    Finds an optim wrapper that lacks a network, a data loader without a batch, images of another
    shape than the networks', missing labels, labels that the networks have no class for, and
    batches of one image under batch norm. Without it the same mistakes show when training meets
    them, some only at the end of the first epoch.

    Example:
        In a config: ``default_hooks = dict(setup_check=dict(type='SetupCheckHook'))``.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Check; reads one sample of the training data.

        Raises:
            ValueError: If data, data loader, optim wrapper and model do not fit together.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, 'check_optim_wrapper'):
            raise ValueError(
                'SetupCheckHook needs a GAN, but the model is a '
                f'{type(model).__name__}. Remove the hook from the config.'
            )
        loader = runner.train_dataloader
        model.check_optim_wrapper(runner.optim_wrapper)
        _check_batches(loader, model)
        _, labels = model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
        if labels is not None:
            _check_classes(loader.dataset, labels, model.num_classes)


def _check_classes(dataset: Any, first_labels: Tensor, num_classes: int) -> None:
    # Names that are None stand for names that nobody told, in datasets of other projects.
    classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
    found = max(int(first_labels.max()) + 1, len(classes))
    if isinstance(labels := getattr(dataset, 'labels', None), Tensor):
        found = max(found, int(labels.max()) + 1)
    if found > num_classes:
        raise ValueError(
            'num_classes must be at least the number of classes in the data, got '
            f'{num_classes} for {found} classes. Build both networks with num_classes={found}.'
        )


def _check_batches(loader: DataLoader, model: nn.Module) -> None:
    sampler: Any = loader.sampler
    count, batch_size = len(sampler), loader.batch_size
    if batch_size is None:  # a batch sampler decides
        return
    endless = isinstance(sampler, InfiniteSampler)
    if count == 0 or (loader.drop_last and not endless and count < batch_size):
        raise ValueError(
            f'train_dataloader must hold at least one batch, got {count} images, '
            f'batch_size={batch_size}, drop_last={loader.drop_last}. '
            'Give it more images, or a smaller batch_size.'
        )
    last = batch_size if loader.drop_last or endless else count % batch_size or batch_size
    # Only norms over (N, C) features: over pixels even one image has more than one value.
    normed = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
    if normed and 1 in (last, batch_size):
        raise ValueError(
            'train_dataloader must give no batch of 1 image under batch norm, '
            f'got {count} images in batches of {batch_size}. '
            'Set drop_last=True, or another batch_size.'
        )
