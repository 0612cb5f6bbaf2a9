"""Data loaders, data sets and evaluators; no image is read."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from mmengine.dataset import BaseDataset, InfiniteSampler
from mmengine.evaluator import Evaluator
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite.config_validation.signatures import check_arguments, name_of
from mmgan_lite.config_validation.walk import ConfigWalk, find, is_known, sentence, shortened

_ITEMS: Any = range(2**40)  # stand for the data: enough for any number of samples
_PARTS = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn')
_READ_BY_RUNNER = ('num_batch_per_epoch', 'disable_subprocess_warning')
# Shapes of the images of datasets that have one only.
_IMAGE_SHAPES = {
    'MNISTDataset': (1, 28, 28),
    'FashionMNISTDataset': (1, 28, 28),
    'KMNISTDataset': (1, 28, 28),
    'StackedMNISTDataset': (3, 28, 28),
    'CIFAR10Dataset': (3, 32, 32),
    'CIFAR100Dataset': (3, 32, 32),
}


def check_data(walk: ConfigWalk, by_epoch: bool | None) -> Any:
    """Check the data loaders; returns the training data, not loaded, or None.

    Args:
        walk: Through the config.
        by_epoch: Whether training counts epochs; None where that is not known.
    """
    dataset = _check_loader(walk, 'train_dataloader', must_end=by_epoch is True)
    for split in ('val', 'test'):
        _check_loader(walk, f'{split}_dataloader', must_end=True)
    return dataset


def _check_loader(walk: ConfigWalk, path: str, must_end: bool) -> Any:
    cfg = walk.entry(path)
    if cfg is None:
        return None
    given = {key: value for key, value in cfg.items() if key not in _READ_BY_RUNNER}
    problems = check_arguments(DataLoader, given)
    problems = {key: text for key, text in problems.items() if key not in _PARTS}
    for key, text in problems.items():
        walk.note(f'{path}.{key}', text)
    needed = ('dataset',) if cfg.get('batch_sampler') else ('dataset', 'sampler', 'batch_size')
    for key in needed:
        # The Runner asks for a sampler. For None torch takes one of its own, in the order of
        # ``shuffle``; without that it is more likely forgotten than meant.
        torch_samples = key == 'sampler' and key in cfg and 'shuffle' in cfg
        if cfg.get(key) is None and not torch_samples:
            walk.note(f'{path}.{key}', 'is missing, and the data loader needs it.')
    if not problems:
        plain = {key: value for key, value in given.items() if key not in _PARTS}
        sampler = None if cfg.get('sampler') is None else range(1)
        try:
            DataLoader(_ITEMS, sampler=sampler, **plain)
        except Exception as error:
            walk.note(path, f'{sentence(error)} (in {shortened(plain)})')
    _check_sampling(walk, path, cfg, must_end)
    walk.function(f'{path}.collate_fn', cfg.get('collate_fn'), 1)
    walk.function(f'{path}.worker_init_fn', cfg.get('worker_init_fn'), 1)
    if cfg.get('dataset') is None:
        return None
    return _check_dataset(walk, f'{path}.dataset', cfg['dataset'])


def _check_sampling(walk: ConfigWalk, path: str, cfg: Mapping, must_end: bool) -> None:
    if cfg.get('sampler') is not None:
        target = walk.part(f'{path}.sampler', cfg['sampler'], 'DATA_SAMPLERS', ('dataset',))
        # One of somebody else might make a list of all.
        if is_known(target):
            walk.build(f'{path}.sampler', cfg['sampler'], 'DATA_SAMPLERS', dataset=_ITEMS)
        if must_end and isinstance(target, type) and issubclass(target, InfiniteSampler):
            walk.note(
                f'{path}.sampler.type',
                f'must come to an end here, got {name_of(target)}, which never does. Take '
                "dict(type='DefaultSampler'), or train with train_cfg.by_epoch=False.",
            )
    if cfg.get('batch_sampler') is not None:
        added = ('sampler', 'batch_size')
        walk.part(f'{path}.batch_sampler', cfg['batch_sampler'], 'DATA_SAMPLERS', added)


def _check_dataset(walk: ConfigWalk, path: str, cfg: Any) -> Any:
    target = walk.part(path, cfg, 'DATASETS')
    # One of somebody else may read its data at once.
    if not (isinstance(target, type) and issubclass(target, BaseDataset) and is_known(target)):
        return None
    return walk.build(path, cfg, 'DATASETS', lazy_init=True)


def check_evaluators(walk: ConfigWalk) -> None:
    """Check the evaluators of both loops, with a network in the place of their extractor."""
    for path in ('val_evaluator', 'test_evaluator'):
        cfg = walk.cfg.get(path)
        if isinstance(cfg, dict) and 'type' not in cfg and cfg.keys() != {'metrics'}:
            walk.note(f'{path}.type', "is missing. Add type='GANEvaluator'.")
        elif isinstance(cfg, dict) and _is_evaluator(cfg):
            _check_evaluator(walk, path, cfg)
        elif cfg is not None:
            _check_metrics(walk, path, cfg)


def _is_evaluator(cfg: Mapping) -> bool:
    """Whether it is no metric: the Runner goes by ``metrics``, but that may have been forgotten."""
    name = cfg.get('type')
    return 'metrics' in cfg or (str(name).endswith('Evaluator') and find(name, 'METRICS') is None)


def _check_evaluator(walk: ConfigWalk, path: str, cfg: dict) -> None:
    target = walk.part(path, {'type': 'Evaluator', **cfg}, 'EVALUATOR')
    if target is None:
        return
    if name_of(target) != 'GANEvaluator':
        if target is Evaluator:
            _check_metrics(walk, f'{path}.metrics', cfg['metrics'])
        return
    # Another network may have to be fetched, and training data be read.
    given = dict(cfg)
    if cfg.get('extractor') is not None:
        given['extractor'] = dict(type='ModuleExtractor', module=nn.Flatten(), name='none')
    if cfg.get('train_dataset') is not None:
        given['train_dataset'] = SimpleNamespace(metainfo={})
        _check_dataset(walk, f'{path}.train_dataset', cfg['train_dataset'])
    walk.build(path, given, 'EVALUATOR')


def _check_metrics(walk: ConfigWalk, path: str, cfg: Any) -> None:
    """Metrics by themselves: one, or several of them."""
    several = isinstance(cfg, (list, tuple))
    for position, entry in enumerate(cfg if several else [cfg]):
        place = f'{path}[{position}]' if several else path
        metric = None
        if walk.part(place, entry, 'METRICS'):
            metric = walk.build(place, entry, 'METRICS')
        if metric is not None and hasattr(metric, 'compute_real_score'):
            try:
                metric.compute_metrics([])
            except ValueError as error:
                walk.note(place, str(error))


def image_shape_of(dataset: Any) -> tuple[int, ...] | None:
    """``(C, H, W)`` of a dataset that is not loaded; None where only the files can tell."""
    name = type(dataset).__name__
    if getattr(getattr(dataset, 'pipeline', None), 'transforms', None):
        return None
    size = getattr(dataset, 'image_size', None)
    if name in ('DigitsDataset', 'ImageFolderDataset') and size is not None:
        return (getattr(dataset, 'channels', 1), *size)
    return _IMAGE_SHAPES.get(name)
