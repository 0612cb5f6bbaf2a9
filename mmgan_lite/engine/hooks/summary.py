"""What a training will do, in the lines with which its log begins."""

from collections.abc import Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import Tensor, nn

from mmgan_lite.engine.hooks.sample_visualization_hook import SampleVisualizationHook
from mmgan_lite.engine.mmengine_compat import named_wrappers
from mmgan_lite.engine.optimizers.gan_optim_wrapper import GANOptimWrapper
from mmgan_lite.utils.environment import machine
from mmgan_lite.utils.interfaces import (
    HasImageShape,
    HasPairShapes,
    HasPlayers,
    NamesScores,
    metainfo_of,
    unwrap_model,
)

_MAX_CLASSES = 12
_WIDTH = 11  # of the longest name of a line


@runtime_checkable
class _HasImages(Protocol):
    """A data set that may hold all images in one tensor."""

    images: Any


@runtime_checkable
class _HasLabels(Protocol):
    """A data set that has all its labels at hand."""

    labels: Tensor | None


def summarize(runner: Runner) -> str:
    """At most eleven lines: config, data, networks, device, length, and what is saved.

    Args:
        runner: About to train, with the model, the data and the loop built.
    """
    path = runner.cfg.filename
    title = 'Training' if path is None else f'Training {Path(path).stem}'
    lines = (f'  {name:<{_WIDTH}}  {text}' for name, text in _entries(runner) if text)
    return '\n'.join((title, *lines))


def _entries(runner: Runner) -> Iterator[tuple[str, str]]:
    """Name and text of each line; those without a text are left out."""
    loader, model = runner.train_dataloader, unwrap_model(runner.model)
    yield 'data', _data(loader.dataset)
    yield 'classes', _classes(loader.dataset)
    yield 'networks', _networks(model)
    yield 'device', f'{_device(model)}, {_precision(runner.optim_wrapper)}'
    yield 'batch', _batch(loader.batch_size)
    yield 'length', _length(runner)
    yield 'validation', _validation(runner)
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            yield 'checkpoints', _checkpoints(hook)
        if isinstance(hook, SampleVisualizationHook) and hook.draws(model):
            yield 'samples', f'{_every(hook.interval, hook.by_epoch)}, in samples/'
    log = Path(runner.log_dir).name
    yield 'work_dir', f'{runner.work_dir}; all lines of the log in {log}/{log}.log'


def _data(dataset: Any) -> str:
    count = f'{len(dataset):,}' if isinstance(dataset, Sized) else 'a stream of'
    shape: Any = dataset.image_shape if isinstance(dataset, HasImageShape) else None
    if shape is None and isinstance(dataset, _HasImages) and isinstance(dataset.images, Tensor):
        shape = dataset.images.shape[1:]
    shapes = [] if shape is None else [shape]
    if isinstance(dataset, HasPairShapes):
        shapes = [*(dataset.pair_shapes or ())]
    sizes = ' and '.join('x'.join(map(str, shape)) for shape in shapes)
    size = f' of {sizes}' if sizes else ''
    return f'{type(dataset).__name__}, {count} images{size}'


def _classes(dataset: Any) -> str:
    labels = dataset.labels if isinstance(dataset, _HasLabels) else None
    # Those of other projects may be anything.
    if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.dtype != torch.int64:
        return ''
    names = metainfo_of(dataset).get('classes') or ()
    counts = torch.bincount(labels[labels >= 0], minlength=len(names)).tolist()
    names = [*names, *range(len(names), len(counts))]
    parts = [f'{name}: {n:,}' for name, n in zip(names, counts, strict=True)][:_MAX_CLASSES]
    more = ', ...' if len(counts) > _MAX_CLASSES else ''
    return f'{len(counts)} ({", ".join(parts)}{more})'


def _networks(model: nn.Module) -> str:
    networks: Mapping[str, list[nn.Module]] = {type(model).__name__: [model]}
    if isinstance(model, HasPlayers):
        networks = {
            name: [model.get_submodule(child) for child in player.modules]
            for name, player in model.players.items()
        }
    sizes = (
        f'{name} {sum(p.numel() for module in modules for p in module.parameters()):,}'
        for name, modules in networks.items()
    )
    return f'{", ".join(sizes)} parameters'


def _device(model: nn.Module) -> str:
    device = next(model.parameters()).device
    if device.type == 'cuda':
        return f'{device} ({torch.cuda.get_device_name(device)})'
    return f'{device} ({machine()["cpu"]})' if device.type == 'cpu' else str(device)


def _precision(optim_wrapper: OptimWrapper) -> str:
    names = {name: _dtype(wrapper) for name, wrapper in named_wrappers(optim_wrapper).items()}
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ', '.join(f'{name} {dtype}' for name, dtype in names.items())


def _dtype(wrapper: OptimWrapper) -> str:
    if isinstance(wrapper, GANOptimWrapper):
        return str(wrapper.dtype or torch.float32).removeprefix('torch.')
    return 'float32' if type(wrapper) is OptimWrapper else type(wrapper).__name__


def _batch(size: int | None) -> str:
    text, processes = 'as the batch sampler gives' if size is None else f'{size:,} images', ''
    if get_world_size() > 1:
        processes = f' in each of {get_world_size()} processes'
    return text + processes


def _length(runner: Runner) -> str:
    done = f', of which {runner.iter:,} are done' if runner.iter > 0 else ''
    by_epoch = not isinstance(runner.train_loop, IterBasedTrainLoop)
    epochs = f'{runner.max_epochs:,} epochs, ' if by_epoch else ''
    return f'{epochs}{runner.max_iters:,} iterations{done}'


def _every(interval: int, by_epoch: bool) -> str:
    return f'every {interval:,} {"epochs" if by_epoch else "iterations"}'


def _validation(runner: Runner) -> str:
    if runner.val_loop is None:
        return 'none'
    evaluator = runner.val_loop.evaluator
    names = evaluator.score_names if isinstance(evaluator, NamesScores) else None
    # Without the extractor, which is the same for all.
    scores = ', '.join(name.split('[')[0] for name in names or ())
    by_epoch = not isinstance(runner.train_loop, IterBasedTrainLoop)
    return f'{_every(runner.val_interval, by_epoch)}{": " if scores else ""}{scores}'


def _checkpoints(hook: CheckpointHook) -> str:
    times = [_every(hook.interval, hook.by_epoch)] if hook.interval > 0 else []
    times += ['at the end'] if hook.save_last else []
    kept = f'; the newest {hook.max_keep_ckpts} are kept' if hook.max_keep_ckpts > 0 else ''
    names = [hook.save_best] if isinstance(hook.save_best, str) else hook.save_best or []
    best = f'; the best by {", ".join(names)}' if names else ''
    return f'{" and ".join(times) or "none"}{kept}{best}'
