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
from mmengine.hooks import Hook
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmgan_lite.engine.benchmark.reference_loop import batch_size_of, make_reference_loop
from mmgan_lite.engine.mmengine_compat import use_safe_loader
from mmgan_lite.utils.validation import check_positive

# Functions that do one iteration, by name.
Alternatives = dict[str, Callable[[], Any]]

# What a config must have for training.
_TRAINING = ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
_PROFILED = 10  # iterations


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
    lead_in = _check(cfg, _TRAINING, iters=iters, blocks=blocks)
    if get_world_size() > 1 and not runner_only:
        raise ValueError(f'runner_only must be True in {get_world_size()} processes, got False.')
    record = _Record()
    with _runner(cfg, (1 + blocks) * (lead_in + iters)) as runner:
        find = functools.partial(_alternatives, cfg, runner, record.notes)
        _train(runner, _turns(record, dict if runner_only else find, iters, blocks, lead_in))
        return record.report(batch_size_of(runner.train_dataloader) * get_world_size())


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
    lead_in = _check(cfg, ['train_dataloader'], iters=iters, blocks=blocks)
    init_default_scope(cfg.get('default_scope', 'mmgan_lite'))
    loader = Runner.build_dataloader(cfg.train_dataloader, cfg.get('randomness', {}).get('seed'))
    fetch = functools.partial(next, endless(loader))
    record = _Record()
    for _ in range(1 + blocks):
        record.add(dict(data=_time_block(fetch, iters, lead_in)))
    record.peak = _process_mib('VmHWM')
    return record.report(batch_size_of(loader))


def profile_training(cfg: Config, path: str | Path, warm_up: int = 50) -> None:
    """Write a trace of some iterations of the Runner, for chrome://tracing or Perfetto.

    Args:
        cfg: A complete config; it is not changed.
        path: The JSON file; its folder must exist. One that ends in '.gz' is compressed.
        warm_up: Iterations before the recorded ones, at least 1.

    Raises:
        ValueError: If ``warm_up`` is out of its range, or the config cannot train.
    """
    _check(cfg, _TRAINING, warm_up=warm_up)
    with _runner(cfg, warm_up + _PROFILED) as runner:
        _train(runner, _profiled(path, warm_up))


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


class _Record:
    """Seconds an iteration of all alternatives, and memory, by round; the first does not count."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, float]] = []
        self.resident: list[float | None] = []
        self.peak: float | None = None
        self.device_peak: float | None = None
        self.notes: list[str] = []

    def add(self, seconds: dict[str, float]) -> None:
        self.rounds.append(seconds)
        self.resident.append(_process_mib('VmRSS'))

    def report(self, batch_size: int) -> dict[str, Any]:
        rounds, first, last = self.rounds[1:], self.resident[1], self.resident[-1]
        figures = {name: figure([each[name] for each in rounds], batch_size) for name in rounds[0]}
        if 'step' in figures:
            overheads = [each['runner'] - each['data'] - each['step'] for each in rounds]
            figures['overhead'] = figure(overheads)
        ratios = {}
        if 'reference_loop' in figures:
            ratios['reference_to_runner'] = _ratios(rounds, 'reference_loop', 'runner')
        if 'step_float32' in figures:
            ratios['float32_to_step'] = _ratios(rounds, 'step_float32', 'step')
        growth = None if first is None or last is None else last - first
        return dict(
            batch_size=batch_size,
            processes=get_world_size(),
            figures=figures,
            **ratios,
            memory=dict(peak_mib=self.peak, growth_mib=growth, device_peak_mib=self.device_peak),
            notes=self.notes,
        )


def _ratios(rounds: Sequence[Mapping[str, float]], first: str, second: str) -> dict[str, Any]:
    """Ratios of the times of two alternatives, block by block."""
    ratios = [each[first] / each[second] for each in rounds]
    return dict(median=statistics.median(ratios), min=min(ratios), max=max(ratios), blocks=ratios)


def _turns(
    record: _Record, find: Callable[[], Alternatives], iters: int, blocks: int, lead_in: int
) -> Iterator[None]:
    """Time a block of the Runner, whose iterations it waits for, and of each alternative in turn.

    Args:
        record: For the times.
        find: Called after the first block, which does not count, when the peak memory of the
            Runner alone has been read; returns what runs alternately with the Runner.
        iters: Iterations of a block.
        blocks: Blocks of each that count.
        lead_in: Iterations before each block that do not count.
    """
    alternatives: Alternatives = {}
    for number in range(1 + blocks):
        yield from itertools.repeat(None, lead_in)
        start = _now()
        yield from itertools.repeat(None, iters)
        seconds = dict(runner=(_now() - start) / iters)
        if number == 0:
            record.peak = _process_mib('VmHWM')
            if torch.cuda.is_available():
                record.device_peak = torch.cuda.max_memory_allocated() / 2**20
            alternatives = find()
        for name, iterate in alternatives.items():
            seconds[name] = _time_block(iterate, iters, lead_in)
        record.add(seconds)


def _profiled(path: str | Path, warm_up: int) -> Iterator[None]:
    """Write a trace of the iterations after the first ``warm_up``."""
    schedule = torch.profiler.schedule(wait=warm_up - 1, warmup=1, active=_PROFILED, repeat=1)
    with torch.profiler.profile(schedule=schedule) as profiler:
        for _ in range(warm_up + _PROFILED):
            yield
            profiler.step()
    profiler.export_chrome_trace(str(path))


class _StepsHook(Hook):
    """Resumes a generator after each iteration, and ends the training when it returns."""

    # After all other hooks in an iteration.
    priority = 'LOWEST'

    def __init__(self, steps: Iterator[None]) -> None:
        self._steps = steps

    def before_train(self, runner: Runner) -> None:
        next(self._steps)

    def after_train_iter(self, *_: Any, **__: Any) -> None:
        if next(self._steps, self) is self:
            raise _FinishedError


class _FinishedError(Exception):
    """Ends a training after the last block."""


def _train(runner: Runner, steps: Iterator[None]) -> None:
    runner.register_hook(_StepsHook(steps))
    try:
        runner.train()
    except _FinishedError:
        runner.call_hook('after_train')  # hooks close what they have open, such as a bar


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
        yield runner
        for handler in [*runner.logger.handlers]:  # MMEngine keeps the logger, but not its file
            handler.close()
            runner.logger.removeHandler(handler)


def _alternatives(cfg: Config, runner: Runner, notes: list[str]) -> Alternatives:
    """What runs alternately with the Runner; appends to the notes."""
    # The same dataset, wherever a hook may have moved it, with iterators and workers of its own.
    loader = copy.copy(runner.train_dataloader)
    loader._iterator = None
    batches = endless(loader)
    alternatives: Alternatives = dict(data=functools.partial(next, batches))
    if loader.num_workers > 0 or get_device() != 'cpu':
        notes.append('data and step overlap, by workers or a device: overhead may be negative')
    for key in ('compile', 'activation_checkpointing'):
        if cfg.get(key):
            notes.append(f'step and reference loop left out: they have no {key}')
            return alternatives
    batch, (model, optim_wrapper) = next(batches), _build_model(cfg, runner)
    alternatives['step'] = functools.partial(model.train_step, batch, optim_wrapper)
    plain = copy.deepcopy(cfg)
    networks = [entry for entry in plain.optim_wrapper.values() if isinstance(entry, dict)]
    dtypes = [network.pop('dtype', None) for network in networks]
    if any(dtypes):
        model, optim_wrapper = _build_model(plain, runner)
        alternatives['step_float32'] = functools.partial(model.train_step, batch, optim_wrapper)
    gan, optim_wrapper = _build_model(cfg, runner)
    channels_last = cfg.model.get('channels_last', False)
    loop = make_reference_loop(gan, optim_wrapper, loader, batches, channels_last, notes)
    # First, that is right after the Runner, which it is compared with block by block.
    return alternatives if loop is None else dict(reference_loop=loop, **alternatives)


def _build_model(cfg: Config, runner: Runner) -> tuple[Any, Any]:
    """Another model with its optimizers, built as by the Runner."""
    model = runner.build_model(copy.deepcopy(cfg.model))
    model.init_weights()
    model = model.to(get_device()).train()
    return model, build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))


def endless(loader: DataLoader) -> Iterator[Any]:
    """Endless batches of a loader, which starts again after its end.

    Raises:
        ValueError: If it has no batch.
    """
    while True:
        batch = None
        for batch in loader:
            yield batch
        if batch is None:
            raise ValueError(
                f'train_dataloader must hold a batch of {loader.batch_size} (batch_size), got '
                f'{len(loader.dataset)} images. Give it more, or a smaller batch_size.'  # type: ignore[arg-type]
            )


def _time_block(iterate: Callable[[], Any], iters: int, lead_in: int) -> float:
    """Seconds an iteration."""
    for _ in range(lead_in):
        iterate()
    start = _now()
    for _ in range(iters):
        iterate()
    return (_now() - start) / iters


def _now() -> float:
    """Seconds, when the device has finished."""
    torch.get_device_module(get_device()).synchronize()
    return time.perf_counter()


def _check(cfg: Config, keys: Sequence[str], **counts: int) -> int:
    """Check the arguments; returns the number of iterations before a block.

    These fill caches and use up the batches that workers prefetched while others ran.
    """
    for name, count in counts.items():
        check_positive(name, count)
    if missing := [key for key in keys if cfg.get(key) is None]:
        raise ValueError(
            f'The config must have {", ".join(keys)}, but lacks {", ".join(missing)}. '
            'Add what is missing, or pass the config of a training.'
        )
    loader = cfg.train_dataloader
    return max(2, loader.get('num_workers', 0) * (loader.get('prefetch_factor') or 2))


def _process_mib(key: str) -> float | None:
    """Memory of this process in MiB: resident, 'VmRSS', or its peak, 'VmHWM'; None off Linux."""
    status = Path('/proc/self/status')
    for line in status.read_text().splitlines() if status.is_file() else ():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return None
