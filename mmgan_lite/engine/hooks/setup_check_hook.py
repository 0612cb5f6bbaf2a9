"""Mistakes that only data and model together show, found before the first iteration."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mmengine.dataset import InfiniteSampler
from mmengine.dist import all_gather_object, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmgan_lite.engine.hooks.corrupt_image_hook import CorruptImageHook
from mmgan_lite.engine.hooks.data_placement_hook import DataPlacementHook
from mmgan_lite.engine.hooks.parts import active_parts
from mmgan_lite.registry import HOOKS
from mmgan_lite.utils.config_keys import unknown_keys
from mmgan_lite.utils.interfaces import HasPlayers, SamplesImages, unwrap_model
from mmgan_lite.utils.validation import check_class_count


@runtime_checkable
class _HasMetainfo(Protocol):
    """A data set that may name its classes."""

    metainfo: Mapping[str, Any]


@runtime_checkable
class _HasLabels(Protocol):
    """A data set with all labels in one tensor."""

    labels: Any


@runtime_checkable
class _BindsModel(Protocol):
    """An evaluator with metrics that need the model."""

    def bind_model(self, model: nn.Module) -> None: ...


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

    Example:
        >>> default_hooks = dict(setup_check=dict(type='SetupCheckHook'))
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._parts: list[Hook] = [DataPlacementHook(), CorruptImageHook()]

    def before_run(self, runner: Runner) -> None:
        """Leave out the parts that the config has hooks for."""
        self._parts = active_parts(self, self._parts, runner)

    def before_train(self, runner: Runner) -> None:
        """Check; reads one sample of the training data.

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
        if not isinstance(model, HasPlayers):
            runner.logger.info(
                f'SetupCheckHook does not check {type(model).__name__}, which has no players.'
            )
            return
        with _raised_in_all_processes():
            _check(runner, model)
            epoch = _epoch(runner.train_dataloader)
        _check_same(all_gather_object(epoch))

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Report new images that cannot be read."""
        for part in self._parts:
            part.after_train_iter(runner, batch_idx, data_batch, outputs)

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
    batch = model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
    if isinstance(model, SamplesImages) and model.num_classes is not None:
        _check_classes(loader.dataset, batch.labels, model.num_classes)
    if runner.val_loop is not None:
        _check_validation(loader.dataset, runner.val_dataloader, model)


def _check_validation(trained_on: Any, loader: DataLoader, model: Any) -> None:
    remedy = (
        'Give val_dataloader the same kind of data, or train without validation: '
        'val_cfg=None, val_dataloader=None, val_evaluator=None, which mmgan-lite train does for '
        '--no-validate.'
    )
    expected, found = _classes(trained_on), _classes(loader.dataset)
    if expected and found and expected != found:
        raise ValueError(
            'val_dataloader must give the classes that the model is trained on, got '
            f'{_shortened(found)} for {_shortened(expected)}. {remedy}'
        )
    try:
        model.prepare_batch(loader.collate_fn([loader.dataset[0]]))
    except ValueError as error:
        raise ValueError(f'val_dataloader does not fit the model: {error} {remedy}') from error


def _classes(dataset: Any) -> tuple:
    """Names of the classes, if there are any; None for a name that is not known."""
    metainfo = dataset.metainfo if isinstance(dataset, _HasMetainfo) else {}
    return tuple(metainfo.get('classes') or ())


def _shortened(names: Sequence[Any]) -> str:
    shown = ', '.join(repr(name) for name in names[:3])
    return f'{shown}, ...' if len(names) > 3 else shown


def _check_classes(dataset: Any, first_labels: Tensor, num_classes: int) -> None:
    found = max(int(first_labels.max()) + 1, len(_classes(dataset)))
    if isinstance(dataset, _HasLabels) and isinstance(dataset.labels, Tensor):
        found = max(found, int(dataset.labels.max()) + 1)
    check_class_count(num_classes, found)


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
    """Data of one process in an epoch."""

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
    """An error of one process is raised in all: the others would wait for it for ever."""
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
