"""Mistakes that only data and model together show, found before the first iteration."""

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite.registry import HOOKS


@HOOKS.register_module()
class SetupCheckHook(Hook):
    """Holds the first sample and the data loader against the model before training starts.

    Finds images of another shape than the networks', missing labels, labels that the networks have
    no class for, and a last batch of one image under batch norm. Without it the same mistakes show
    when training meets them, the last one only at the end of the first epoch.

    Example:
        In a config: ``default_hooks = dict(setup_check=dict(type='SetupCheckHook'))``.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Check; reads one sample of the training data.

        Raises:
            ValueError: If data, data loader and model do not fit together.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        loader = runner.train_dataloader
        model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
        _check_classes(getattr(loader.dataset, 'metainfo', {}), model.num_classes)
        _check_last_batch(loader, model)


def _check_classes(metainfo: dict, num_classes: int | None) -> None:
    classes = metainfo.get('classes')
    if num_classes is None or classes is None or len(classes) <= num_classes:
        return
    raise ValueError(
        f'num_classes must be at least the number of classes in the data, got {num_classes} for '
        f'{len(classes)} classes. Build both networks with num_classes={len(classes)}.'
    )


def _check_last_batch(loader: DataLoader, model: nn.Module) -> None:
    if loader.drop_last or loader.batch_size is None or isinstance(loader.sampler, InfiniteSampler):
        return
    # Only norms over (N, C) features: over pixels even one image has more than one value.
    if not any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
        return
    sampler: Any = loader.sampler
    count, batch_size = len(sampler), loader.batch_size
    if count % batch_size == 1 or batch_size == 1:
        raise ValueError(
            'train_dataloader must not end in a batch of 1 under batch norm, '
            f'got {count} images in batches of {batch_size}. '
            'Set drop_last=True, or another batch_size.'
        )
