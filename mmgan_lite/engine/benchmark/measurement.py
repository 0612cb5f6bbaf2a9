"""Speed of training: by the Runner, of its parts, and of a reference loop without MMEngine.

All run alternately in one process, a block of iterations each, so that a change of the machine's
speed affects all of them.
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
    ReferenceLoop,
    autocast_dtype,
    batches_of_tensor,
    unsupported_part,
)
from mmgan_lite.engine.mmengine_compat import use_safe_loader
from mmgan_lite.utils.validation import check_positive

# What runs alternately with the Runner: a function for one iteration, by name; and notes about it.
Alternatives = tuple[dict[str, Callable[[], Any]], list[str]]

# Batches that are prepared for the reference loop if the dataset has no tensor of images.
_PREPARED_BATCHES = 8
_PROFILED_ITERATIONS = 10


def benchmark_training(
    cfg: Config, iters: int = 50, blocks: int = 7, runner_only: bool = False
) -> dict[str, Any]:
    """Measure training by the Runner, alternately with its parts and a reference loop.

    The config trains with its hooks, log and checkpoints, but without validation, from its initial
    weights, and in a folder that is removed afterwards. The parts are the data loader alone and
    ``model.train_step`` alone on one batch; the rest of the Runner's time is the overhead. The
    reference loop trains the same networks, see
    :class:`~mmgan_lite.engine.benchmark.reference_loop.ReferenceLoop`. A first block of each, and
    some iterations before each block, do not count.

    Args:
        cfg: A complete config; it is not changed.
        iters: Iterations of a block, at least 1.
        blocks: Blocks of each, at least 1.
        runner_only: Whether to measure the Runner alone; required with several processes.

    Returns:
        ``batch_size`` (of all processes); ``processes``; ``figures``, as :func:`figure` gives them,
        of 'runner', and unless ``runner_only`` of 'data', 'step', 'overhead', 'reference_loop' and
        with mixed precision 'step_float32', without those that ``notes`` names as left out;
        ``reference_to_runner`` (median, minimum and maximum over the blocks of the time of the
        reference loop divided by that of the Runner); ``float32_to_step`` (the same for the step
        without and with mixed precision); ``memory`` and ``notes``.

    Raises:
        ValueError: If a number is out of its range, or the config cannot train.

    Example:
        As in ``mmgan-lite benchmark``::

            result = benchmark_training(mmgan_lite.get_config('gan_mlp_digits-28x28'))
            result['figures']['runner']['images_per_second']
    """
    check_positive('iters', iters)
    check_positive('blocks', blocks)
    if get_world_size() > 1 and not runner_only:
        raise ValueError(
            f'runner_only must be True under several processes, got {runner_only!r} for '
            f'{get_world_size()}. The parts and the reference loop run in one process.'
        )
    _require(cfg, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    lead_in = _lead_in(cfg.train_dataloader)
    with _runner(cfg, (1 + blocks) * (lead_in + iters)) as runner:
        find = functools.partial(_alternatives, cfg, runner, runner_only)
        hook = _TurnsHook(find, iters, blocks, lead_in)
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
        blocks: Blocks, at least 1; one more before them does not count.

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
    """Write a trace of some iterations of the Runner, for chrome://tracing or Perfetto.

    Args:
        cfg: A complete config; it is not changed.
        path: The JSON file; its folder must exist. One that ends in '.gz' is compressed.
        warm_up: Iterations before the recorded ones, at least 1.

    Raises:
        ValueError: If ``warm_up`` is out of its range, or the config cannot train.
    """
    check_positive('warm_up', warm_up)
    _require(cfg, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    with _runner(cfg, warm_up + _PROFILED_ITERATIONS) as runner:
        runner.register_hook(_ProfileHook(path, warm_up))
        _train(runner)


def figure(seconds: Sequence[float], images: int | None = None) -> dict[str, Any]:
    """Summarize blocks.

    Args:
        seconds: Seconds per iteration of each block, at least one block.
        images: Images per iteration; None if they do not apply.

    Returns:
        ``seconds`` (median), ``min_seconds``, ``max_seconds``, ``blocks`` (in their order), and
        with ``images`` also ``images_per_second``, of the median.

    Example:
        >>> figure([0.5, 0.25, 1.0], images=64)['images_per_second']
        128.0
    """
    median = statistics.median(seconds)
    speed = {} if images is None else dict(images_per_second=images / median)
    return dict(
        speed, seconds=median, min_seconds=min(seconds), max_seconds=max(seconds), blocks=[*seconds]
    )


class _TurnsHook(Hook):
    """Runs a block of each alternative after each block of the Runner's iterations.

    After the last block it ends the training, by an exception of this module.

    Args:
        find_alternatives: Called after the first block, which does not count, when the peak memory
            of the Runner alone has been read; returns what runs alternately with the Runner.
        iters: Iterations of a block.
        blocks: Blocks of each that count.
        lead_in: Iterations before each block that do not count.

    Attributes:
        seconds: Seconds per iteration of each block, by name.
        notes: Notes about the alternatives.
    """

    # After all other hooks in an iteration.
    priority = 'LOWEST'

    def __init__(
        self,
        find_alternatives: Callable[[], Alternatives],
        iters: int,
        blocks: int,
        lead_in: int,
    ) -> None:
        self._find_alternatives = find_alternatives
        self._alternatives: dict[str, Callable[[], Any]] = {}
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
        """Count iterations, and time each block."""
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
            self._alternatives, self.notes = self._find_alternatives()
            self.seconds |= {name: [] for name in self._alternatives}
        timed = dict(runner=seconds)
        for name, iterate in self._alternatives.items():
            timed[name] = _time_block(iterate, self._iters, self._lead_in)
        if self._round > 0:
            for name, value in timed.items():
                self.seconds[name].append(value)
            self._resident.append(_process_memory()['VmRSS'])
        self._round += 1
        if self._round > self._blocks:
            raise _FinishedError

    def memory(self) -> dict[str, float | None]:
        """Peak and growth of the memory, in MiB."""
        return _memory(self._peak, self._resident, self._peak_device)


def exclude_pause(runner: Runner, seconds: float) -> None:
    """Keep a pause after an iteration out of the ``time`` and ``data_time`` of the next one."""
    for hook in runner.hooks:
        if isinstance(hook, IterTimerHook):
            hook.t += seconds


def endless(loader: DataLoader) -> Iterator[Any]:
    """Endless batches of a loader, which starts again after its end.

    Raises:
        ValueError: If it has no batch.
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
    """Ends a training after the last block."""


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
    """Logs to its file as usual, and warnings only to the terminal."""

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if type(handler) is logging.StreamHandler:
                handler.setLevel(max(handler.level, logging.WARNING))
        return logger


@contextmanager
def _runner(cfg: Config, iterations: int) -> Iterator[Runner]:
    """A Runner for at least so many iterations, in a folder that is removed afterwards."""
    cfg = copy.deepcopy(cfg)
    # An epoch has at least one iteration; training ends long before this many.
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
            # MMEngine keeps the logger, and its file is removed with the folder.
            for handler in [*runner.logger.handlers]:
                runner.logger.removeHandler(handler)
                handler.close()


def _train(runner: Runner) -> None:
    try:
        runner.train()
    except _FinishedError:
        runner.call_hook('after_train')  # hooks close what they have open, such as a bar


def _alternatives(cfg: Config, runner: Runner, runner_only: bool) -> Alternatives:
    alternatives: dict[str, Callable[[], Any]] = {}
    notes: list[str] = []
    if runner_only:
        return alternatives, notes
    # The same dataset, wherever a hook may have moved it, with iterators and workers of its own.
    loader = copy.copy(runner.train_dataloader)
    loader._iterator = None
    batches = endless(loader)
    alternatives['data'] = functools.partial(next, batches)
    if loader.num_workers > 0 or get_device() != 'cpu':
        notes.append(
            'data and step overlap (by workers or an asynchronous device), so the overhead may be '
            'negative'
        )
    if cfg.get('compile'):
        notes.append('step and reference loop left out: they have no compile')
        return alternatives, notes
    model, optim_wrapper = _build_model(cfg, runner)
    batch = next(batches)
    alternatives['step'] = functools.partial(model.train_step, batch, optim_wrapper)
    if any(autocast_dtype(wrapper) is not None for wrapper in _wrappers(optim_wrapper)):
        twin, twin_wrapper = _build_model(_in_float32(cfg), runner)
        alternatives['step_float32'] = functools.partial(twin.train_step, batch, twin_wrapper)
    loop = _reference_loop(cfg, runner, loader, batches, notes)
    # First, that is right after the Runner, which it is compared with block by block.
    return alternatives if loop is None else dict(reference_loop=loop, **alternatives), notes


def _reference_loop(
    cfg: Config, runner: Runner, loader: DataLoader, batches: Iterator[Any], notes: list[str]
) -> ReferenceLoop | None:
    """The reference loop, if it supports all parts of the training; appends to the notes."""
    gan, optim_wrapper = _build_model(cfg, runner)
    unsupported = unsupported_part(gan, optim_wrapper)
    if unsupported:
        notes.append(f'reference loop left out: it has no {unsupported}')
        return None
    channels_last = cfg.model.get('channels_last', False)
    loop_batches = batches_of_tensor(loader.dataset, gan, _batch_size(loader), channels_last)
    if loop_batches is None:
        notes.append('reference loop: batches are prepared, as the data is no tensor of images')
        prepared = [gan.prepare_batch(next(batches)) for _ in range(_PREPARED_BATCHES)]
        loop_batches = itertools.cycle(prepared)
    if gan.cuda_graph:
        notes.append('reference loop: launches each kernel, while the config has cuda_graph=True')
    return ReferenceLoop(gan, optim_wrapper, loop_batches)


def _build_model(cfg: Config, runner: Runner) -> tuple[Any, Any]:
    """Another model with its optimizers, built as by the Runner."""
    model = runner.build_model(copy.deepcopy(cfg.model))
    model.init_weights()
    model = model.to(get_device()).train()
    optim_wrapper = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))
    for wrapper in _wrappers(optim_wrapper):
        wrapper.message_hub = MessageHub('benchmark')  # not the Runner's, which is logged
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
    """Figures of all alternatives, and ratios of blocks of the same round."""
    figures = {name: figure(values, batch_size) for name, values in seconds.items()}
    summary: dict[str, Any] = dict(figures=figures)
    if 'step' in seconds:
        rounds = zip(seconds['runner'], seconds['data'], seconds['step'], strict=True)
        figures['overhead'] = figure([runner - data - step for runner, data, step in rounds])
    if 'reference_loop' in seconds:
        summary['reference_to_runner'] = _ratios(seconds['reference_loop'], seconds['runner'])
    if 'step_float32' in seconds:
        summary['float32_to_step'] = _ratios(seconds['step_float32'], seconds['step'])
    return summary


def _ratios(seconds: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """Ratios of the times of the blocks."""
    ratios = [first / second for first, second in zip(seconds, others, strict=True)]
    return dict(median=statistics.median(ratios), min=min(ratios), max=max(ratios), blocks=ratios)


def _lead_in(dataloader: Mapping) -> int:
    """Iterations before a block, to fill caches and to use up the batches that workers prefetched.

    While another alternative runs, the workers of a loader fill its queue.
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
    """Wait for the device."""
    torch.get_device_module(get_device()).synchronize()


def _device_peak() -> float | None:
    """Peak of the memory allocated on the GPU, in MiB."""
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
