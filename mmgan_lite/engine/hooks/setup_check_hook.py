"""Mistakes that only data and model together show, found before the first iteration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.config_keys import unknown_keys


@HOOKS.register_module()
class SetupCheckHook(Hook):
    """Holds the first sample and the data loader against the model before training starts.

    Finds an optim wrapper that lacks a network, a data loader without a batch, images of another
    shape than the networks', missing labels, labels that the networks have no class for,
    batches of one image under batch norm, an average that counts other images than the batches
    have, and validation on other data than those trained on. And top-level keys of the config that
    nobody reads, which the Runner passes over in silence. Without it the same mistakes show when
    training meets them, some only at the end of the first epoch, and the last three never.

    Of several processes it finds those that would wait for the others for ever: with another
    dataset, with more or fewer batches, or with an error of their own. All of them then stop.

    Example:
        In a config: ``default_hooks = dict(setup_check=dict(type='SetupCheckHook'))``.
    """

    priority = 'VERY_HIGH'

    def before_train(self, runner: Runner) -> None:
        """Check; reads one sample of the training data.

        Raises:
            ValueError: If the config has a key that nobody reads, data, data loader, optim wrapper
                and model do not fit together, or in another process something went wrong.
        """
        with _raised_in_all_processes():
            self._check(runner)
            epoch = _epoch(runner.train_dataloader)
        _check_same(all_gather_object(epoch))

    def _check(self, runner: Runner) -> None:
        # Without what a config in pure Python imports.
        for key, text in unknown_keys(runner.cfg.to_dict()).items():
            raise ValueError(f'The top-level key {key!r} of the config {text}')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, 'check_optim_wrapper'):
            raise ValueError(
                'SetupCheckHook needs a GAN, but the model is a '
                f'{type(model).__name__}. Remove the hook from the config.'
            )
        loader = runner.train_dataloader
        model.check_optim_wrapper(runner.optim_wrapper)
        _check_batches(loader, model)
        if loader.batch_size is not None:
            model.check_average(runner.optim_wrapper, loader.batch_size)
        _, labels = model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
        if labels is not None:
            _check_classes(loader.dataset, labels, model.num_classes)
        if runner.val_loop is not None:
            _check_validation(loader.dataset, runner.val_dataloader, model)


def _check_validation(trained_on: Any, loader: DataLoader, model: Any) -> None:
    remedy = (
        'Give val_dataloader the same kind of data, or train without validation: '
        'val_cfg=None, val_dataloader=None, val_evaluator=None, which mmgan-lite train does for '
        '--no-validate.'
    )
    ours, theirs = (
        tuple(getattr(dataset, 'metainfo', {}).get('classes') or ())
        for dataset in (trained_on, loader.dataset)
    )
    if ours and theirs and ours != theirs:
        raise ValueError(
            'val_dataloader must give the classes that the model is trained on, got '
            f'{_shortened(theirs)} for {_shortened(ours)}. {remedy}'
        )
    try:
        model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
    except ValueError as error:
        raise ValueError(f'val_dataloader does not go with the model: {error} {remedy}') from error


def _shortened(names: Sequence[Any]) -> str:
    shown = ', '.join(repr(name) for name in names[:3])
    return f'{shown}, ...' if len(names) > 3 else shown


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
    dataset: Any = loader.dataset
    sampler: Any = loader.sampler
    batch_size, count = loader.batch_size, len(sampler)
    if batch_size is None:  # a batch sampler decides
        return
    endless = isinstance(sampler, InfiniteSampler)
    processes = get_world_size()
    share = count // processes if endless else count
    if processes > 1 and batch_size > share:
        raise ValueError(
            'batch_size, which is that of one process, must be at most its share of the images, '
            f'got batch_size={batch_size} for {share} of {len(dataset)} images. '
            f'Set batch_size={max(share, 1)}, or start fewer than {processes} processes.'
        )
    if count == 0 or (loader.drop_last and not endless and count < batch_size):
        raise ValueError(
            f'train_dataloader must hold at least one batch, got {count} images, '
            f'batch_size={batch_size}, drop_last={loader.drop_last}. '
            'Give it more images, or a smaller batch_size.'
        )
    # Only norms over (N, C) features: over pixels even one image has more than one value.
    normed = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
    if normed and 1 in (_epoch(loader).last_batch, batch_size):
        raise ValueError(
            'train_dataloader must give no batch of 1 image under batch norm, '
            f'got {count} images in batches of {batch_size}. '
            'Set drop_last=True, or another batch_size.'
        )


class _Epoch(NamedTuple):
    """What one process trains on in an epoch."""

    images: int
    batches: int
    last_batch: int | None

    def __str__(self) -> str:
        return ', '.join(f'{name}={value}' for name, value in self._asdict().items())


def _epoch(loader: DataLoader) -> _Epoch:
    """Images in the dataset, batches of this process, images in the last of them.

    An endless sampler makes full batches only, and counts those of a single process.
    """
    dataset: Any = loader.dataset
    sampler: Any = loader.sampler
    last = loader.batch_size
    if last is not None and not loader.drop_last and not isinstance(sampler, InfiniteSampler):
        last = len(sampler) % last or last
    return _Epoch(len(dataset), len(loader), last)


def _check_same(epochs: Sequence[_Epoch]) -> None:
    """Raise unless no process would wait for another that has no batch left."""
    for rank, epoch in enumerate(epochs):
        if epoch == epochs[0]:
            continue
        remedy = "Set round_up=True in the sampler, or take dict(type='DefaultSampler')."
        if epoch.images != epochs[0].images:
            remedy = 'Give all processes the same dataset.'
        raise ValueError(
            'train_dataloader must give all processes as many batches of the same size, got '
            f'{epochs[0]} in process 0 and {epoch} in process {rank}. {remedy}'
        )


@contextmanager
def _raised_in_all_processes() -> Iterator[None]:
    """What one process raises inside, all raise: the others would wait for it for ever."""
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
    messages = all_gather_object(error and f'{type(error).__name__}: {error}')
    if error is not None:
        raise error
    for rank, message in enumerate(messages):
        if message is not None:
            raise ValueError(f'In process {rank}: {message}')
