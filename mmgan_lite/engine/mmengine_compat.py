"""All that this package uses of MMEngine beside its public interface, in one place.

MMEngine has no public name for some things that an exact resume needs: where a loop is in its
data, which checkpoint a Runner resumes from, the order in which files are written and deleted.
Each of its private names, and each of its objects that is changed, is used here and nowhere else.
``tests/test_engine/test_mmengine_compat.py`` fails when MMEngine changes one of them; setup.cfg
bounds its version. Only the function by which MMEngine's registries build is changed in
:mod:`mmgan_lite.registry`, which this module imports.
"""

import contextlib
import functools
import hashlib
import itertools
import logging
import os
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from mmengine.dataset import InfiniteSampler
from mmengine.device import get_device
from mmengine.dist import master_only
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import HistoryBuffer, MMLogger, print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.registry import DefaultScope
from mmengine.runner import (
    BaseLoop,
    CheckpointLoader,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Runner,
)
from mmengine.runner import runner as _runner_module
from mmengine.runner.loops import _InfiniteDataloaderIterator
from mmengine.runner.runner import _SlicedDataset
from torch.utils.data import DataLoader

from mmgan_lite.checkpoints import read_checkpoint, reading, write_checkpoint
from mmgan_lite.engine.activation_checkpointing import checkpoint_activations
from mmgan_lite.registry import SCOPE
from mmgan_lite.utils.interfaces import HasPlayers, unwrap_model

# The Runner.


def is_resumed(runner: Runner) -> bool:
    """Whether the Runner resumes a training, or is about to."""
    return runner._resume


def loaded_checkpoint(runner: Runner) -> str | None:
    """The checkpoint that the Runner resumes from or loads weights from, as the config names it."""
    return runner._load_from


def resume_from(runner: Runner, path: str | None) -> None:
    """Let the Runner resume from a checkpoint, or begin anew with None; before it loads."""
    runner._resume = path is not None
    runner._load_from = path


def train_loop(runner: Runner) -> BaseLoop | None:
    """The training loop; None in a Runner that has not built one. ``runner.train_loop`` builds."""
    loop = runner._train_loop
    return loop if isinstance(loop, BaseLoop) else None


_at_end: weakref.WeakKeyDictionary[Runner, contextlib.ExitStack] = weakref.WeakKeyDictionary()
_train = Runner.train


@functools.wraps(_train)
def _train_and_call(runner: Runner) -> Any:
    """Train, and call what was given to :func:`call_at_end`."""
    with contextlib.ExitStack() as stack:
        _at_end[runner] = stack
        try:
            return _train(runner)
        finally:
            del _at_end[runner]


Runner.train = _train_and_call


def call_at_end(runner: Runner, function: Callable[[], None]) -> bool:
    """Call a function when ``Runner.train`` ends, also when an exception has ended it.

    The functions are called in reverse order.

    Returns:
        False outside of ``Runner.train``, such as in an evaluation: it is not called then.
    """
    stack = _at_end.get(runner)
    if stack is not None:
        stack.callback(function)
    return stack is not None


def take_hooks(runner: Runner, kinds: Collection[type[Hook]]) -> dict[type[Hook], Hook]:
    """Remove the hooks of some classes from the Runner; returns the last of each class.

    In ``before_run`` the Runner still calls all of them: it goes through the list as it was.
    """
    taken = {type(hook): hook for hook in runner.hooks if type(hook) in kinds}
    if taken:
        runner._hooks = [hook for hook in runner.hooks if type(hook) not in kinds]
    return taken


@runtime_checkable
class _Collates(Protocol):
    """A dataset with a collate function of its own."""

    collate_fn: Callable


@runtime_checkable
class _ChecksSchedulers(Protocol):
    """A dict of optim wrappers that raises ``ValueError`` for schedulers that do not fit it."""

    def check_schedulers(self, schedulers: Any) -> None: ...


_build_dataloader, _build_param_scheduler = Runner.build_dataloader, Runner.build_param_scheduler
_build_logger = Runner.build_logger


def _is_own_scope() -> bool:
    scope = DefaultScope.get_current_instance()
    return scope is not None and scope.scope_name == SCOPE


@functools.wraps(_build_dataloader)
def _build_collating(dataloader: Any, *args: Any, **kwargs: Any) -> DataLoader:
    """Under this default scope: with the dataset's ``collate_fn`` if the config has none.

    And without pinned memory where there is no GPU.
    """
    if isinstance(dataloader, DataLoader):
        return dataloader
    collate = dataloader.get('collate_fn')
    if isinstance(collate, Mapping):  # in configs whose base once had one it may be deleted
        kept = {key: value for key, value in collate.items() if key != '_delete_'}
        dataloader = {**dataloader, 'collate_fn': kept}
    if _is_own_scope() and dataloader.get('pin_memory') is True and get_device() == 'cpu':
        dataloader = {**dataloader, 'pin_memory': False}  # PyTorch warns that it pins nothing
    loader = _build_dataloader(dataloader, *args, **kwargs)
    dataset = loader.dataset
    if isinstance(dataset, _SlicedDataset):
        dataset = dataset._dataset
    if _is_own_scope() and collate is None and isinstance(dataset, _Collates):
        loader.collate_fn = dataset.collate_fn
    return loader


@functools.wraps(_build_param_scheduler)
def _build_checked(runner: Runner, scheduler: Any) -> Any:
    """With an error that names the networks: MMEngine raises KeyError, or ignores an entry."""
    wrapper = runner.optim_wrapper
    if not isinstance(wrapper, _ChecksSchedulers):
        return _build_param_scheduler(runner, scheduler)
    wrapper.check_schedulers(scheduler)
    schedulers = _build_param_scheduler(runner, scheduler)
    # MMEngine warns if schedules step before the optimizer has. They count iterations, in some of
    # which a network does not step: it accumulates, waits for its turn, or the guard skips it.
    for network in named_wrappers(wrapper).values():
        network._global_step = 0
    return schedulers


# How MMEngine's messages begin that say nothing to a user, or, about GPUs, something else.
_NOT_FOR_USERS = (
    f'\n{"-" * 60}\nSystem environment:',
    'Config:\n',
    'Distributed training is not used, all SyncBatchNorm',
    'Hooks will be executed in the following order:',
    '"FileClient" will be deprecated',
    '"HardDiskBackend" is the alias',
)


def _is_for_users(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NOT_FOR_USERS)


def shorten_console() -> None:
    """Under this default scope, leave out of the console what a user does not need.

    That is MMEngine's description of the environment, the config, the list of all hooks, and that
    its own hooks call deprecated functions of MMEngine. The file of the log has it all.
    """
    if _is_own_scope():
        for handler in MMLogger.get_current_instance().handlers:
            if type(handler) is logging.StreamHandler:
                handler.addFilter(_is_for_users)


@functools.wraps(_build_logger)
def _build_short(runner: Runner, *args: Any, **kwargs: Any) -> MMLogger:
    """With a short console; for a Runner that is built before this import, a hook sees to it."""
    logger = _build_logger(runner, *args, **kwargs)
    shorten_console()
    return logger


_turn_on_checkpointing = _runner_module.turn_on_activation_checkpointing


@functools.wraps(_turn_on_checkpointing)
def _turn_on_for_players(model: Any, modules: Any) -> None:
    """With gradients of gradients for networks that train against each other.

    MMEngine's raises in R1 and path length: it lets torch choose the reentrant form.
    """
    turn_on = checkpoint_activations if isinstance(model, HasPlayers) else _turn_on_checkpointing
    turn_on(model, modules)


_runner_module.turn_on_activation_checkpointing = _turn_on_for_players
_maybe_compile = Runner._maybe_compile


@functools.wraps(_maybe_compile)
def _compile_networks(runner: Runner, target: str) -> None:
    """The networks of a model with players, one by one.

    MMEngine's compiles the training step: again in each iteration, since its counts change, and
    without a gradient of a gradient.
    """
    settings, model = runner.cfg.get('compile'), unwrap_model(runner.model)
    if not settings or not isinstance(model, HasPlayers):
        _maybe_compile(runner, target)
        return
    model.compile(**({} if settings is True else settings))
    runner.logger.info('The networks are compiled in the first iterations, which are slow.')


Runner._maybe_compile = _compile_networks

# The registries of datasets, hooks and optim wrappers import this module.
Runner.build_dataloader = staticmethod(_build_collating)
Runner.build_param_scheduler = _build_checked
Runner.build_logger = _build_short


# Training loops and their data.


def validation_is_due(runner: Runner) -> bool:
    """Whether the training loop would validate before its next iteration."""
    loop: Any = runner.train_loop
    if runner.val_loop is None:
        return False
    loop._decide_current_val_interval()
    if isinstance(loop, IterBasedTrainLoop):
        done, last = loop.iter, loop.max_iters
    else:
        if loop.iter != loop.epoch * len(loop.dataloader):
            return False  # in the middle of an epoch
        done, last = loop.epoch, loop.max_epochs
    return done >= loop.val_begin and (done % loop.val_interval == 0 or done == last)


def is_over(runner: Runner) -> bool:
    """Whether the training loop would make no iteration; False of a loop that is not MMEngine's."""
    loop = runner.train_loop
    known = isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop))
    return known and loop.iter >= loop.max_iters


def replace_next_epoch(loop: Any, run_epoch: Callable[[], bool]) -> None:
    """Run the loop's next epoch by a function; those after it are MMEngine's own.

    Args:
        loop: MMEngine's loop over epochs, before that epoch.
        run_epoch: Runs the epoch, and returns whether it did: otherwise MMEngine's is run.
    """

    def run_once() -> None:
        del loop.run_epoch
        if run_epoch():
            loop._epoch += 1
        else:
            loop.run_epoch()

    loop.run_epoch = run_once


def passes_made(loop: BaseLoop) -> int:
    """How often a loop over iterations has begun its data anew; 0 for any other loop."""
    batches = loop.dataloader_iterator if isinstance(loop, IterBasedTrainLoop) else None
    return batches._epoch if isinstance(batches, _InfiniteDataloaderIterator) else 0


def set_batches(loop: IterBasedTrainLoop, batches: Iterator, passes: int) -> None:
    """Let a loop over iterations take its next batches from an iterator.

    Args:
        loop: Before its next iteration.
        batches: Rest of the current pass over the data.
        passes: How many passes were made before.
    """
    loop.dataloader_iterator._iterator = batches
    loop.dataloader_iterator._epoch = passes


def end_workers(loop: BaseLoop) -> None:
    """End the workers of a loop's data loader; they start again should it need more batches.

    Otherwise they end when the iterator is collected. As Runner and loop refer to each other, that
    is during any later operation, where PyTorch waits five seconds for each of them, or when
    Python ends.
    """
    loader: Any = loop.dataloader
    if loader.num_workers == 0:
        return
    loader._iterator = None  # the one that persistent workers serve
    batches = loop.dataloader_iterator if isinstance(loop, IterBasedTrainLoop) else None
    if isinstance(batches, _InfiniteDataloaderIterator):
        batches._iterator = itertools.chain.from_iterable([loader])


def restart_indices(sampler: InfiniteSampler) -> None:
    """Let an endless sampler draw its indices from the first one again."""
    sampler.indices = sampler._indices_of_rank()


def named_wrappers(optim_wrapper: OptimWrapper) -> dict[str, OptimWrapper]:
    """The optim wrappers of a Runner by their networks; ``model`` is a single one."""
    several = isinstance(optim_wrapper, OptimWrapperDict)
    return dict(optim_wrapper.items()) if several else {'model': optim_wrapper}


class CountedOptimWrapper(OptimWrapper):
    """MMEngine's ``OptimWrapper`` with public counts."""

    @property
    def accumulative_counts(self) -> int:
        """Backward passes to a step."""
        return self._accumulative_counts

    @property
    def inner_count(self) -> int:
        """Backward passes so far; can be set."""
        return self._inner_count

    @inner_count.setter
    def inner_count(self, count: int) -> None:
        self._inner_count = count


def accumulative_counts(wrapper: OptimWrapper) -> int:
    """How many backward passes an optim wrapper makes to a step."""
    return wrapper._accumulative_counts


# Checkpoints and the log.


def use_safe_loader(allow_mmengine_types: bool = False) -> None:
    """Let MMEngine load checkpoints without running code from them, in this process from now on.

    That is what a Runner resumes from, ``load_from``, and ``init_cfg`` of the kind 'Pretrained'.
    ``GANCheckpointHook`` and ``SafeCheckpointHook`` call it before a run, and so do the commands.

    Args:
        allow_mmengine_types: As for :func:`mmgan_lite.checkpoints.no_code`, in all loads until the
            next call.
    """
    for prefix, loader in dict(CheckpointLoader._schemes).items():
        if isinstance(loader, _SafeLoader):
            loader = loader.loader
        safe = _SafeLoader(loader, allow_mmengine_types)
        CheckpointLoader.register_scheme(prefix, safe, force=True)


class _SafeLoader:
    """A loader of checkpoints, without running code from them."""

    def __init__(self, loader: Callable, allow_mmengine_types: bool) -> None:
        self.loader, self._allow = loader, allow_mmengine_types
        functools.update_wrapper(self, loader)  # MMEngine logs its name

    def __call__(self, filename: str, map_location: Any = None) -> Any:
        with reading(os.path.expanduser(filename), self._allow):
            return self.loader(filename, map_location)


class LazyHistoryBuffer(HistoryBuffer):
    """MMEngine's history of a scalar, with a call of :meth:`settle` before it is read.

    Attributes:
        values: What was logged.
        counts: How many values each of them sums up.
    """

    values: np.ndarray
    counts: np.ndarray

    def settle(self) -> None:
        """Bring ``values`` and ``counts`` up to date."""

    # The two arrays of the base class, which all its methods read.
    @property
    def _log_history(self) -> np.ndarray:
        self.settle()
        return self.values

    @_log_history.setter
    def _log_history(self, values: np.ndarray) -> None:
        self.values = values

    @property
    def _count_history(self) -> np.ndarray:
        self.settle()
        return self.counts

    @_count_history.setter
    def _count_history(self, counts: np.ndarray) -> None:
        self.counts = counts


class OrderedCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, which deletes an old file only when there is the new one.

    It takes MMEngine's arguments. A subclass defines :meth:`write`.
    """

    out_dir: Any
    backend_args: dict | None
    keep_ckpt_ids: deque
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def write(self, runner: Runner, path: str, meta: dict) -> None:
        """Write a checkpoint."""
        raise NotImplementedError

    def write_best(self, runner: Runner, metrics: dict) -> None:
        """Write the checkpoints that have the best scores so far."""
        super()._save_best_checkpoint(runner, metrics)

    def write_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write the checkpoint of an iteration or epoch, then delete those that are too old."""
        path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
        if self.max_keep_ckpts <= 0:
            self.write(runner, path, meta)
            return
        kept = [*(other for other in self.keep_ckpt_ids if other != step), step]
        # With the one that will be deleted: should that not come about, a resumed run does it.
        runner.message_hub.update_info('keep_ckpt_ids', kept)
        self.write(runner, path, meta)
        for old in kept[: -self.max_keep_ckpts]:
            self.remove(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))
        self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :], self.max_keep_ckpts)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    _save_checkpoint_with_step = write_step

    @master_only
    def _publish_model(self, runner: Runner, path: str) -> None:
        """Write ``published_keys`` of a checkpoint anew, under a name with its checksum."""
        checkpoint = read_checkpoint(path)
        kept = {key: value for key, value in checkpoint.items() if key in self.published_keys}
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:8]
        published = Path(path).with_name(f'{Path(path).stem}-{digest}.pth')
        write_checkpoint(kept, published)
        left_out = ', '.join(map(repr, checkpoint.keys() - kept.keys())) or 'nothing'
        runner.logger.info(f'{path} is published as {published}, without {left_out}.')

    @master_only
    def remove(self, path: str) -> None:
        """Delete a checkpoint; warns if it cannot be deleted, which is no reason to stop."""
        try:
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
        except OSError as error:
            text = f'{path} is no longer needed, but could not be removed: {error}.'
            print_log(text, logger='current', level=logging.WARNING)

    def set_best_of(self, names: Sequence[str]) -> None:
        """Choose the scores of ``save_best``, and find out which value of each is better.

        Raises:
            ValueError: If neither ``rule`` nor the name of a score says it.
        """
        self._init_rule(self.rules, list(names))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        if not self.save_best:
            return
        # MMEngine deletes what it knows of.
        if len(self.key_indicators) > 1:
            before = self.best_ckpt_path_dict
            self.best_ckpt_path_dict = dict.fromkeys(before)
            self.write_best(runner, metrics)
            now = self.best_ckpt_path_dict
            now.update({name: self._better(before[name], now[name]) for name in before})
        else:
            path, self.best_ckpt_path = self.best_ckpt_path, None
            self.write_best(runner, metrics)
            self.best_ckpt_path = self._better(path, self.best_ckpt_path)

    def _better(self, old: str | None, new: str | None) -> str | None:
        """The new best checkpoint, which replaces the old one; the old one if there is none."""
        if None not in (old, new) and old != new:
            self.remove(old)
        return new or old
