"""Mistakes that only data and model together show, found before the first iteration."""

import functools
import itertools
import reprlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather_object, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgan_lite.engine.hooks.common import raised_in_all_processes, take_over
from mmgan_lite.engine.hooks.summary import summarize
from mmgan_lite.engine.mmengine_compat import shorten_console
from mmgan_lite.registry import FUNCTIONS, HOOKS
from mmgan_lite.utils.config_keys import unknown_keys
from mmgan_lite.utils.interfaces import (
    HasPlayers,
    NeedsLength,
    SamplesImages,
    metainfo_of,
    unwrap_model,
)
from mmgan_lite.utils.validation import check_class_count, check_positive

# A share of the memory that is free once the model is there. MNIST's 47 MB fit anywhere.
_MAX_SHARE = 0.25


@runtime_checkable
class _HoldsImages(Protocol):
    """A data set with all images in one tensor, and all labels in another or none."""

    images: Tensor
    labels: Tensor | None
    pipeline: Any

    def to(self, device: torch.device) -> object: ...


@runtime_checkable
class _HasCorruptFiles(Protocol):
    """A data set that replaces images which it cannot read."""

    corrupt_files: Iterable[str]


@runtime_checkable
class _BindsModel(Protocol):
    """An evaluator with metrics that need the model."""

    def bind_model(self, model: nn.Module) -> None: ...


@runtime_checkable
class _HasSizes(Protocol):
    """A batch sampler with batches of several sizes."""

    def sizes(self) -> Iterator[int]: ...


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
        reason = _why_not(runner.train_dataloader, device)
        where = f'stays in main memory, because {reason}; batches go through pinned memory'
        if reason is None:
            runner.train_dataloader.dataset.to(device)
            where = f'lies on {device}'
        runner.logger.info(f'The training data {where}.')


@HOOKS.register_module()
class CorruptImageHook(Hook):
    """Warns of each image of the training data that could not be read, and counts them.

    A dataset with ``corrupt_files``, such as ``ImageFolderDataset`` with ``max_corrupt``, replaces
    images that it cannot read. Its worker processes find them; this hook writes them to the log.
    For any other dataset it does nothing. :class:`SetupCheckHook` includes it.

    Args:
        interval: Iterations from one check to the next, at least 1. There is one more at the end.

    Raises:
        ValueError: If ``interval`` is not an int of at least 1.

    Example:
        >>> custom_hooks = [dict(type='CorruptImageHook', interval=1000)]
    """

    priority = 'LOW'

    def __init__(self, interval: int = 100) -> None:
        self.interval = check_positive('interval', interval)
        self._reported: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Begin to count."""
        self._reported.clear()

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Warn of new ones, every ``interval`` iterations."""
        if self.every_n_train_iters(runner, self.interval):
            self._report(runner)

    def after_train(self, runner: Runner) -> None:
        """Warn of new ones, and of how many there were."""
        self._report(runner)
        if self._reported:
            dataset: Any = runner.train_dataloader.dataset
            runner.logger.warning(
                f'{len(self._reported)} of {len(dataset)} images of the training data could not be '
                'read, and others were taken for them.'
            )

    def _report(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        found = set(dataset.corrupt_files) if isinstance(dataset, _HasCorruptFiles) else set()
        for name in sorted(found - self._reported):
            runner.logger.warning(
                f"The image '{name}' of the training data cannot be read, or is not the one of "
                'SHA256SUMS; the next one in the folder is taken for it.'
            )
        self._reported |= found


@HOOKS.register_module()
class SetupCheckHook(Hook):
    """Compares the first sample and the data loader with the model before training starts.

    Finds an optim wrapper that lacks a network, a data loader without a batch, images of another
    shape than the networks', missing labels, labels that the networks have no class for,
    batches of one image under batch norm, an average that counts other images than the batches
    have, and validation on other data than those trained on. And top-level keys of the config that
    nothing reads, which the Runner ignores. Without it the same mistakes show when training meets
    them, some only at the end of the first epoch, and the last three never.

    In several processes it finds those that would wait for the others for ever: with another
    dataset, with more or fewer batches, or with an error of their own. All of them then stop.

    It includes :class:`DataPlacementHook`, which moves data that fit to the GPU, and
    :class:`CorruptImageHook`, which reports images that cannot be read. Before an evaluation it
    gives the model to an evaluator that has ``bind_model``.

    A model that is no :class:`~mmgan_lite.models.AdversarialModel` is not checked.

    What passes is summed up in a block of the log: config, data, networks, device, precision,
    length, and what will be saved. From the console, not from the log's file, it leaves out what
    MMEngine logs of environment, config and hooks, under the default scope mmgan_lite.

    Example:
        >>> default_hooks = dict(setup_check=dict(type='SetupCheckHook'))
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._parts: list[Hook] = [DataPlacementHook(), CorruptImageHook()]
        shorten_console()  # the Runner that builds this hook will list all hooks

    def before_run(self, runner: Runner) -> None:
        """Take over hooks of the config that do the same as its parts."""
        self._parts = take_over(self, self._parts, runner)

    def before_train(self, runner: Runner) -> None:
        """Check, which reads one sample of the training data, and sum up.

        Raises:
            ValueError: If the config has a key that nothing reads, data, data loader, optim wrapper
                and model do not fit together, or in another process something went wrong.
        """
        for part in self._parts:
            part.before_train(runner)
        # Without what a config in pure Python imports.
        for key, text in unknown_keys(runner.cfg.to_dict()).items():
            raise ValueError(f'The top-level key {key!r} of the config {text}')
        model = unwrap_model(runner.model)
        if isinstance(model, HasPlayers):
            with raised_in_all_processes():
                _check(runner, model)
                epoch = _epoch(runner.train_dataloader)
            _check_same(all_gather_object(epoch))
        else:
            name = type(model).__name__
            runner.logger.info(f'SetupCheckHook does not check {name}, which has no players.')
        if is_main_process():
            runner.logger.info(summarize(runner))

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Report new images that cannot be read."""
        for part in self._parts:
            part.after_train_iter(runner, *args, **kwargs)

    def after_train(self, runner: Runner) -> None:
        """Report how many images could not be read."""
        for part in self._parts:
            part.after_train(runner)

    def before_val(self, runner: Runner) -> None:
        """Give the model to the evaluator."""
        _bind_model(runner.val_loop.evaluator, runner)

    def before_test(self, runner: Runner) -> None:
        """Give the model to the evaluator."""
        _bind_model(runner.test_loop.evaluator, runner)


def _bind_model(evaluator: Any, runner: Runner) -> None:
    if isinstance(evaluator, _BindsModel):
        evaluator.bind_model(unwrap_model(runner.model))


def _check(runner: Runner, model: Any) -> None:
    loader = runner.train_dataloader
    model.check_optim_wrapper(runner.optim_wrapper)
    _check_batches(loader, model)
    if loader.batch_size is not None:
        model.check_average(runner.optim_wrapper, loader.batch_size)
    if isinstance(model, NeedsLength):
        model.check_length(_images_of(loader, runner.iter, runner.max_iters))
    batch = model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
    if isinstance(model, SamplesImages) and model.num_classes is not None:
        _check_classes(loader.dataset, batch.labels, model.num_classes)
    if runner.val_loop is not None:
        _check_validation(loader.dataset, runner.val_dataloader, model)


def _images_of(loader: DataLoader, begin: int, end: int) -> int:
    """Real images of all processes from an iteration to another."""
    sampler: Any = loader.batch_sampler
    if not isinstance(sampler, _HasSizes):
        return get_world_size() * sampler.batch_size * (end - begin)
    return get_world_size() * sum(itertools.islice(sampler.sizes(), begin, end))


def _check_validation(trained_on: Any, loader: DataLoader, model: Any) -> None:
    remedy = (
        'Give val_dataloader the same kind of data, or train without validation '
        '(mmgan-lite train --no-validate; val_cfg = val_dataloader = val_evaluator = None).'
    )
    expected, found = _classes(trained_on), _classes(loader.dataset)
    if expected and found and expected != found:
        raise ValueError(
            'val_dataloader must give the classes that the model is trained on, got '
            f'{reprlib.repr(found)} for {reprlib.repr(expected)}. {remedy}'
        )
    try:
        model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
    except ValueError as error:
        raise ValueError(f'val_dataloader does not fit the model: {error} {remedy}') from error


def _classes(dataset: Any) -> tuple:
    """Names of the classes, if there are any; None for a name that is not known."""
    return tuple(metainfo_of(dataset).get('classes') or ())


def _check_classes(dataset: Any, first_labels: Tensor, num_classes: int) -> None:
    found = max(int(first_labels.max()) + 1, len(_classes(dataset)))
    if isinstance(dataset, _HoldsImages) and dataset.labels is not None:
        found = max(found, int(dataset.labels.max()) + 1)
    check_class_count(num_classes, found)


def _check_batches(loader: DataLoader, model: nn.Module) -> None:
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
            f'got batch_size={batch_size} for {share} of {_epoch(loader)["images"]} images. '
            f'Set batch_size={max(share, 1)}, or start fewer than {processes} processes.'
        )
    if count == 0 or (loader.drop_last and not endless and count < batch_size):
        raise ValueError(
            f'train_dataloader must hold at least one batch, got {count} images, batch_size='
            f'{batch_size}, drop_last={loader.drop_last}. Add images, or lower batch_size.'
        )
    # Only norms over (N, C) features: over pixels even one image has more than one value.
    normed = any(isinstance(module, nn.BatchNorm1d) for module in model.modules())
    if normed and 1 in (_epoch(loader)['last_batch'], batch_size):
        raise ValueError(
            f'train_dataloader must give no batch of 1 image under batch norm, got {count} images '
            f'in batches of {batch_size}. Set drop_last=True, or another batch_size.'
        )


def _epoch(loader: DataLoader) -> dict[str, int | None]:
    """Images in the dataset, batches of this process, images in the last of them.

    An endless sampler makes full batches only, and counts those of a single process.
    """
    dataset: Any = loader.dataset
    sampler: Any = loader.sampler
    last = loader.batch_size
    if last is not None and not loader.drop_last and not isinstance(sampler, InfiniteSampler):
        last = len(sampler) % last or last
    return dict(images=len(dataset), batches=len(loader), last_batch=last)


def _check_same(epochs: Sequence[Mapping]) -> None:
    """Raise unless no process would wait for another that has no batch left."""
    for rank, epoch in enumerate(epochs):
        if epoch != epochs[0]:
            remedy = "Set round_up=True in the sampler, or take dict(type='DefaultSampler')."
            if epoch['images'] != epochs[0]['images']:
                remedy = 'Give all processes the same dataset.'
            raise ValueError(
                'train_dataloader must give all processes as many batches of the same size, got '
                f'{epochs[0]} in process 0 and {epoch} in process {rank}. {remedy}'
            )


def _why_not(loader: DataLoader, device: torch.device) -> str | None:
    """Why the training data cannot lie on a GPU, if it cannot."""
    dataset = loader.dataset
    if not isinstance(dataset, _HoldsImages):
        return f'{type(dataset).__name__} does not hold it as one tensor'
    collate = loader.collate_fn
    collate = collate.func if isinstance(collate, functools.partial) else collate
    size, free = dataset.images.nbytes, torch.cuda.mem_get_info(device)[0]
    reasons = {
        'worker processes read it (num_workers > 0)': loader.num_workers > 0,
        'the data loader pins it (pin_memory=True)': loader.pin_memory,
        'it goes through a pipeline': bool(dataset.pipeline.transforms),
        # Any other takes image after image and label after label, and waits for each.
        'the collate function is not image_collate': collate is not FUNCTIONS.get('image_collate'),
        f'its {size / 2**20:,.0f} MiB are more than {_MAX_SHARE:.0%} of the '
        f'{free / 2**20:,.0f} MiB that are free': size > _MAX_SHARE * free,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
