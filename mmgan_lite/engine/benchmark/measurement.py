"""How fast a config trains: through the Runner, in its parts, and beside a loop written by hand.

Everything runs in one process in turn, a block of iterations each, so that a machine that slows
down slows all of them down, and what is compared was measured within seconds.
"""

import copy
import functools
import itertools
import logging
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.hooks import Hook, IterTimerHook
from mmengine.logging import MessageHub, MMLogger
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmgan_lite.engine.benchmark.reference_loop import (
    HandLoop,
    batches_of_tensor,
    unknown_to_hand_loop,
)
from mmgan_lite.engine.mmengine_compat import use_safe_loader
from mmgan_lite.utils.validation import check_positive

# What runs in turn with the Runner: an iteration of each, by name; and what is to be said about it.
Rivals = tuple[dict[str, Callable[[], Any]], list[str]]

# Batches that lie ready for the hand-written loop where the dataset holds no tensor of images.
_READY_BATCHES = 8
_PROFILED_ITERATIONS = 10


def benchmark_training(
    cfg: Config, iters: int = 50, blocks: int = 7, runner_only: bool = False
) -> dict[str, Any]:
    """Measure training through the Runner, and in turn with it the parts and a hand-written loop.

    The config trains as it is, with its hooks, log and checkpoints, but without validation, from
    its first weights, and in a folder that is removed afterwards. The parts are the data loader
    alone and ``model.train_step`` alone on one batch; what they leave of the Runner's time is the
    overhead. The hand-written loop trains the same networks, see
    :class:`~mmgan_lite.engine.benchmark.reference_loop.HandLoop`. A block of all of them is thrown
    away first, and before each block a few iterations more.

    Args:
        cfg: A whole config; it stays as it is.
        iters: Iterations of a block, at least 1.
        blocks: Blocks of each, at least 1.
        runner_only: Whether to measure the Runner alone; must be so under several processes.

    Returns:
        ``batch_size`` (of all processes), ``processes``, ``figures`` (of 'runner', and unless
        ``runner_only`` of 'data', 'step', 'overhead' and 'hand_loop', as :func:`figure` gives them,
        without those that ``notes`` tell to be left out; under mixed precision also of
        'step_float32'), ``hand_to_runner`` (median, minimum and maximum over the blocks of the time
        by hand divided by that through the Runner), ``float32_to_step`` (the same of the step
        without mixed precision, divided by that with it),
        ``memory`` and ``notes``.

    Raises:
        ValueError: If a number is out of its range, or the config cannot train.

    Example:
        As ``mmgan-lite benchmark`` does it::

            result = benchmark_training(mmgan_lite.get_config('gan_mlp_digits-28x28'))
            result['figures']['runner']['images_per_second']
    """
    check_positive('iters', iters)
    check_positive('blocks', blocks)
    if get_world_size() > 1 and not runner_only:
        raise ValueError(
            f'runner_only must be True under several processes, got {runner_only!r} for '
            f'{get_world_size()}. The parts and the hand-written loop know one process.'
        )
    _require(cfg, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    lead_in = _lead_in(cfg.train_dataloader)
    with _runner(cfg, (1 + blocks) * (lead_in + iters)) as runner:
        rivals = _no_rivals if runner_only else functools.partial(_rivals, cfg, runner)
        hook = TurnsHook(rivals, iters, blocks, lead_in)
        runner.register_hook(hook)
        _train(runner)
        batch_size = _batch_size(runner.train_dataloader) * get_world_size()
    return dict(
        batch_size=batch_size,
        processes=get_world_size(),
        **_summary(hook.seconds, batch_size),
        memory=hook.memory(),
        notes=hook.notes,
    )


def benchmark_data(cfg: Config, iters: int = 50, blocks: int = 7) -> dict[str, Any]:
    """Measure the data loader of training alone; no model is needed.

    Args:
        cfg: A config with ``train_dataloader``, of any dataset.
        iters: Batches of a block, at least 1.
        blocks: Blocks, at least 1; one more goes before them and is thrown away.

    Returns:
        ``batch_size``, ``processes``, ``figures`` (of 'data', as :func:`figure` gives them),
        ``memory`` and ``notes``.

    Raises:
        ValueError: If a number is out of its range, or the loader gives no batch.
    """
    check_positive('iters', iters)
    check_positive('blocks', blocks)
    _require(cfg, 'train_dataloader')
    init_default_scope(cfg.get('default_scope', 'mmgan_lite'))
    seed = cfg.get('randomness', {}).get('seed')
    loader = Runner.build_dataloader(cfg.train_dataloader, seed)
    fetch = functools.partial(next, endless(loader))
    lead_in = _lead_in(cfg.train_dataloader)
    seconds, resident = [], []
    for _ in range(1 + blocks):
        seconds.append(_time_block(fetch, iters, lead_in))
        resident.append(_process_memory()['VmRSS'])
    batch_size = _batch_size(loader)
    return dict(
        batch_size=batch_size,
        processes=1,
        **_summary(dict(data=seconds[1:]), batch_size),
        memory=_memory(_process_memory()['VmHWM'], resident[1:], None),
        notes=[],
    )


def profile_training(cfg: Config, path: str | Path, warm_up: int = 50) -> None:
    """Write a trace of some iterations through the Runner, for chrome://tracing or Perfetto.

    Args:
        cfg: A whole config; it stays as it is.
        path: The JSON file; its folder must exist. One that ends in '.gz' is packed.
        warm_up: Iterations before those that are recorded, at least 1.

    Raises:
        ValueError: If ``warm_up`` is out of its range, or the config cannot train.
    """
    check_positive('warm_up', warm_up)
    _require(cfg, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    with _runner(cfg, warm_up + _PROFILED_ITERATIONS) as runner:
        runner.register_hook(_ProfileHook(path, warm_up))
        _train(runner)


def figure(seconds: Sequence[float], images: int | None = None) -> dict[str, Any]:
    """What blocks tell together.

    Args:
        seconds: Time of an iteration in each block, at least one block.
        images: Images that an iteration takes; None where that says nothing.

    Returns:
        ``seconds`` (median), ``min_seconds``, ``max_seconds``, ``blocks`` (as they came), and with
        ``images`` also ``images_per_second``, by the median.

    Example:
        >>> figure([0.5, 0.25, 1.0], images=64)['images_per_second']
        128.0
    """
    median = statistics.median(seconds)
    told = {} if images is None else dict(images_per_second=images / median)
    return dict(
        told, seconds=median, min_seconds=min(seconds), max_seconds=max(seconds), blocks=[*seconds]
    )


class TurnsHook(Hook):
    """Ends a block of the Runner's iterations, lets the others run a block each, and so on.

    When the last block has ended it ends the training, by an exception of this module.

    Args:
        rivals: Called after the first block, which does not count, when the memory is read that the
            Runner took alone; gives what runs in turn with it.
        iters: Iterations of a block.
        blocks: Blocks of each that count.
        lead_in: Iterations before each block that do not count.
    """

    # After all that the config's hooks do in an iteration.
    priority = 'LOWEST'

    def __init__(
        self,
        rivals: Callable[[], Rivals],
        iters: int,
        blocks: int,
        lead_in: int,
    ) -> None:
        self._prepare = rivals
        self._rivals: dict[str, Callable[[], Any]] = {}
        self._iters, self._blocks, self._lead_in = iters, blocks, lead_in
        self._round = self._done = 0
        self._start = 0.0
        self._peak: float | None = None
        self._peak_device: float | None = None
        self._resident: list[float | None] = []
        self.seconds: dict[str, list[float]] = dict(runner=[])
        self.notes: list[str] = []

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Count; at the ends of a block, look at the clock."""
        self._done += 1
        if self._done == self._lead_in:
            _synchronize()
            self._start = time.perf_counter()
        elif self._done == self._lead_in + self._iters:
            _synchronize()
            end = time.perf_counter()
            self._end_round((end - self._start) / self._iters)
            exclude_pause(runner, time.perf_counter() - end)
            self._done = 0

    def _end_round(self, seconds: float) -> None:
        if self._round == 0:
            self._peak, self._peak_device = _process_memory()['VmHWM'], _device_peak()
            self._rivals, self.notes = self._prepare()
            self.seconds |= {name: [] for name in self._rivals}
        timed = dict(runner=seconds)
        timed |= {
            name: _time_block(run, self._iters, self._lead_in) for name, run in self._rivals.items()
        }
        if self._round > 0:
            for name, value in timed.items():
                self.seconds[name].append(value)
            self._resident.append(_process_memory()['VmRSS'])
        self._round += 1
        if self._round > self._blocks:
            raise _FinishedError

    def memory(self) -> dict[str, float | None]:
        """Peak and growth, in MiB."""
        return _memory(self._peak, self._resident, self._peak_device)


def exclude_pause(runner: Runner, seconds: float) -> None:
    """Keep a pause after an iteration out of the ``time`` and ``data_time`` of the next one."""
    for hook in runner.hooks:
        if isinstance(hook, IterTimerHook):
            hook.t += seconds


def endless(loader: DataLoader) -> Iterator[Any]:
    """Batches of a loader, from its start again when it has ended.

    Raises:
        ValueError: If it gives none.
    """
    while True:
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise ValueError(
                f'train_dataloader must hold at least one batch, got {len(loader.dataset)} '  # type: ignore[arg-type]
                f'images, batch_size={loader.batch_size}, drop_last={loader.drop_last}. '
                'Give it more images, or a smaller batch_size.'
            )


class _FinishedError(Exception):
    """Ends a training: all that was to be measured is measured."""


class _ProfileHook(Hook):
    priority = 'LOWEST'

    def __init__(self, path: str | Path, warm_up: int) -> None:
        self._path, self._finished = str(path), False
        self._profiler = torch.profiler.profile(
            schedule=torch.profiler.schedule(
                wait=warm_up - 1, warmup=1, active=_PROFILED_ITERATIONS, repeat=1
            ),
            on_trace_ready=self._write,
        )

    def before_train(self, runner: Runner) -> None:
        self._profiler.start()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        self._profiler.step()
        if self._finished:
            self._profiler.stop()
            raise _FinishedError

    def _write(self, profiler: torch.profiler.profile) -> None:
        profiler.export_chrome_trace(self._path)
        self._finished = True


class _QuietRunner(Runner):
    """Logs to its file as ever; the terminal gets warnings only."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(max(handler.level, logging.WARNING))
        return logger


@contextmanager
def _runner(cfg: Config, iterations: int) -> Iterator[Runner]:
    """A Runner that trains so many iterations at least, in a folder that is removed afterwards."""
    cfg = copy.deepcopy(cfg)
    # An epoch has an iteration at least; training is ended long before this many.
    for key in ('max_iters', 'max_epochs'):
        if key in cfg.train_cfg:
            cfg.train_cfg[key] = iterations + 1
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.load_from, cfg.resume = None, False
    cfg.experiment_name = f'benchmark_{uuid.uuid4().hex}'  # two may start in one second
    with tempfile.TemporaryDirectory(prefix='mmgan_lite_', ignore_cleanup_errors=True) as folder:
        cfg.work_dir = folder
        use_safe_loader()  # init_cfg may load
        runner = _QuietRunner.from_cfg(cfg)
        try:
            yield runner
        finally:
            # The logger stays MMEngine's current one, and its file goes with the folder.
            for handler in [*runner.logger.handlers]:
                runner.logger.removeHandler(handler)
                handler.close()


def _train(runner: Runner) -> None:
    try:
        runner.train()
    except _FinishedError:
        runner.call_hook('after_train')  # hooks put away what they have open, such as a bar


def _no_rivals() -> Rivals:
    return {}, []


def _rivals(cfg: Config, runner: Runner) -> Rivals:
    # The same dataset, wherever a hook may have put it, but iterators and workers of its own.
    loader = copy.copy(runner.train_dataloader)
    loader._iterator = None
    batches = endless(loader)
    rivals: dict[str, Callable[[], Any]] = dict(data=functools.partial(next, batches))
    notes = []
    if loader.num_workers > 0 or get_device() != 'cpu':
        notes.append(
            'data and step overlap (workers, or a device that is not waited for), so the overhead '
            'may be less than nothing'
        )
    if cfg.get('compile'):
        notes.append('step alone and by hand: left out, they do not know compile')
        return rivals, notes
    model, optim_wrapper = _build_model(cfg, runner)
    batch = next(batches)
    rivals['step'] = functools.partial(model.train_step, batch, optim_wrapper)
    if any(getattr(wrapper, 'dtype', None) is not None for wrapper in _wrappers(optim_wrapper)):
        twin, twin_wrapper = _build_model(_in_float32(cfg), runner)
        rivals['step_float32'] = functools.partial(twin.train_step, batch, twin_wrapper)
    gan, gan_wrapper = _build_model(cfg, runner)
    unknown = unknown_to_hand_loop(cfg.model, gan, gan_wrapper)
    if unknown:
        notes.append(f'by hand: left out, the loop does not know {unknown}')
        return rivals, notes
    channels_last = cfg.model.get('channels_last', False)
    hand_batches = batches_of_tensor(loader.dataset, gan, _batch_size(loader), channels_last)
    if hand_batches is None:
        notes.append('by hand: its batches lie ready, as the data is no tensor of images')
        ready = [gan.prepare_batch(next(batches)) for _ in range(_READY_BATCHES)]
        hand_batches = itertools.cycle(ready)
    if cfg.model.get('cuda_graph'):
        notes.append('by hand: launches each kernel, where the config has cuda_graph=True')
    # First, that is right after the Runner, which it is compared with block by block.
    return dict(hand_loop=HandLoop(gan, gan_wrapper, hand_batches), **rivals), notes


def _build_model(cfg: Config, runner: Runner) -> tuple[Any, Any]:
    """Another model with its optimisers, as the Runner builds its own."""
    model = runner.build_model(copy.deepcopy(cfg.model))
    model.init_weights()
    model = model.to(get_device()).train()
    optim_wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    for wrapper in _wrappers(optim_wrapper):
        wrapper.message_hub = MessageHub('benchmark')  # not the Runner's, which goes into its log
    return model, optim_wrapper


def _wrappers(optim_wrapper: Any) -> list[Any]:
    single = not isinstance(optim_wrapper, OptimWrapperDict)
    return [optim_wrapper] if single else [*optim_wrapper.values()]


def _in_float32(cfg: Config) -> Config:
    """The config without the ``dtype`` of any network's optim wrapper."""
    plain = copy.deepcopy(cfg)
    for entry in plain.optim_wrapper.values():
        if isinstance(entry, dict):
            entry.pop('dtype', None)
    return plain


def _time_block(iterate: Callable[[], Any], iters: int, lead_in: int) -> float:
    """Seconds an iteration."""
    for _ in range(lead_in):
        iterate()
    _synchronize()
    start = time.perf_counter()
    for _ in range(iters):
        iterate()
    _synchronize()
    return (time.perf_counter() - start) / iters


def _summary(seconds: Mapping[str, Sequence[float]], batch_size: int) -> dict[str, Any]:
    """Figures of all that was timed, and what follows from blocks of the same round."""
    figures = {name: figure(values, batch_size) for name, values in seconds.items()}
    summary: dict[str, Any] = dict(figures=figures)
    if 'step' in seconds:
        rounds = zip(seconds['runner'], seconds['data'], seconds['step'], strict=True)
        figures['overhead'] = figure([runner - data - step for runner, data, step in rounds])
    if 'hand_loop' in seconds:
        summary['hand_to_runner'] = _ratios(seconds['hand_loop'], seconds['runner'])
    if 'step_float32' in seconds:
        summary['float32_to_step'] = _ratios(seconds['step_float32'], seconds['step'])
    return summary


def _ratios(seconds: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """How many times as long as the other, block by block."""
    ratios = [ours / theirs for ours, theirs in zip(seconds, others, strict=True)]
    return dict(median=statistics.median(ratios), min=min(ratios), max=max(ratios), blocks=ratios)


def _lead_in(dataloader: Mapping) -> int:
    """Iterations before a block: until the caches are its own, and what workers fetched ahead.

    While another runs, the workers of a loader fill its queue; those batches would cost nothing.
    """
    workers = dataloader.get('num_workers', 0)
    return max(2, workers * (dataloader.get('prefetch_factor') or 2))


def _batch_size(loader: DataLoader) -> int:
    return loader.batch_size or loader.batch_sampler.batch_size  # type: ignore[union-attr]


def _require(cfg: Mapping, *keys: str) -> None:
    missing = [key for key in keys if cfg.get(key) is None]
    if missing:
        raise ValueError(
            f'The config must have {", ".join(keys)}, but lacks {", ".join(missing)}. '
            'Add what is missing, or pass the config of a training.'
        )


def _synchronize() -> None:
    """Wait until the device has done what it was given."""
    device = get_device()
    if device != 'cpu':
        getattr(torch, device).synchronize()


def _device_peak() -> float | None:
    """Peak of memory allocated on the GPU, in MiB."""
    return torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else None


def _process_memory() -> dict[str, float | None]:
    """Resident set of this process and its peak, ``VmRSS`` and ``VmHWM``, in MiB, on Linux."""
    memory: dict[str, float | None] = dict(VmRSS=None, VmHWM=None)
    status = Path('/proc/self/status')
    if status.is_file():
        for line in status.read_text().splitlines():
            name, _, value = line.partition(':')
            if name in memory:
                memory[name] = int(value.split()[0]) / 1024
    return memory


def _memory(
    peak: float | None, resident: Sequence[float | None], device_peak: float | None
) -> dict[str, float | None]:
    first, last = resident[0], resident[-1]
    growth = None if first is None or last is None else last - first
    return dict(peak_mib=peak, growth_mib=growth, device_peak_mib=device_peak)
