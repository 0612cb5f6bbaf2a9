"""Data loaders, datasets and evaluators; no image is read."""

from types import SimpleNamespace
from typing import Any

import torch
from mmengine import registry as roots
from mmengine.dataset import BaseDataset, InfiniteSampler
from mmengine.evaluator import Evaluator
from torch import nn
from torch.utils.data import DataLoader

from mmgan_lite.config_validation.walk import ConfigWalk, is_known, is_registered, items_of
from mmgan_lite.evaluation import GANEvaluator, GANMetric
from mmgan_lite.utils.interfaces import HasImageShape, HasProbe, SamplesImages
from mmgan_lite.utils.validation import check_class_count

_ITEMS: Any = range(2**40)  # in place of the data: enough for any number of samples
_PARTS = ('dataset', 'sampler', 'batch_sampler', 'collate_fn', 'worker_init_fn')
_READ_BY_RUNNER = ('num_batch_per_epoch', 'disable_subprocess_warning')


def check_data(walk: ConfigWalk) -> None:
    """Check the data loaders, and that the model takes the images of the training data."""
    dataset = _check_loader(walk, 'train_dataloader', must_end=walk.by_epoch is True)
    if dataset is not None:
        _check_images(walk, dataset)
    for split in ('val', 'test'):
        _check_loader(walk, f'{split}_dataloader', must_end=True)


def _check_loader(walk: ConfigWalk, path: str, must_end: bool) -> Any:
    if (cfg := walk.entry(path)) is None:
        return None
    count = len(walk.problems)
    plain = {key: value for key, value in cfg.items() if key not in (*_PARTS, *_READ_BY_RUNNER)}
    names = {key: len for key in cfg if key in _PARTS and key != 'dataset'}  # of any type
    walk.arguments(path, DataLoader, {**plain, **names}, ('dataset',))
    sampler = cfg.get('sampler')
    if len(walk.problems) == count:
        order = None if sampler is None else range(1)
        walk.attempt(path, lambda: DataLoader(_ITEMS, sampler=order, **plain), plain)
    needed = {'dataset'} if cfg.get('batch_sampler') else {'dataset', 'sampler', 'batch_size'}
    if 'sampler' in cfg and 'shuffle' in cfg:
        needed.discard('sampler')  # None: torch takes one of its own
    for key in sorted(needed):
        if cfg.get(key) is None:
            walk.note(f'{path}.{key}', 'is missing, and the data loader needs it.')
    if sampler is not None:
        _check_sampler(walk, f'{path}.sampler', sampler, must_end)
    if (batches := cfg.get('batch_sampler')) is not None:
        walk.part(f'{path}.batch_sampler', batches, 'DATA_SAMPLERS', ('sampler', 'batch_size'))
    _check_functions(walk, path, cfg)
    dataset = cfg.get('dataset')
    return None if dataset is None else _check_dataset(walk, f'{path}.dataset', dataset)


def _check_sampler(walk: ConfigWalk, path: str, cfg: Any, must_end: bool) -> None:
    target = walk.part(path, cfg, 'DATA_SAMPLERS', ('dataset',))
    if target is not None and is_known(target):  # another might make a list of all items
        walk.build(path, cfg, 'DATA_SAMPLERS', dataset=_ITEMS)
    if must_end and isinstance(target, type) and issubclass(target, InfiniteSampler):
        text = f'must end here, got {target.__name__}, which never does.'
        walk.note(f'{path}.type', f"{text} Use dict(type='DefaultSampler').")


def _check_functions(walk: ConfigWalk, path: str, cfg: dict) -> None:
    for key in ('collate_fn', 'worker_init_fn'):
        function, place = cfg.get(key), f'{path}.{key}'
        if isinstance(function, dict):  # configs whose base once had one may delete it
            function = {name: value for name, value in function.items() if name != '_delete_'}
        if function is None or callable(function) or not walk.part(place, function, 'FUNCTIONS', 1):
            continue
        # Runner looks it up without the default scope.
        if isinstance(name := function['type'], str) and roots.FUNCTIONS.get(name) is None:
            walk.note(f'{place}.type', f"needs its project. Set type='mmgan_lite.{name}'.")


def _check_dataset(walk: ConfigWalk, path: str, cfg: Any) -> Any:
    """Check a dataset; returns it, or the class of another project, which may read data at once."""
    target = walk.part(path, cfg, 'DATASETS')
    if isinstance(target, type) and issubclass(target, BaseDataset) and is_known(target):
        return walk.build(path, cfg, 'DATASETS', lazy_init=True)
    return target


def _check_images(walk: ConfigWalk, dataset: Any) -> None:
    model, cfg = walk.model, walk.cfg['train_dataloader']['dataset']
    if isinstance(dataset, HasImageShape) and isinstance(model, HasProbe):
        # Of a class it may be a property; and a pipeline may change it.
        shape = None if cfg.get('pipeline') else dataset.image_shape
        if isinstance(shape, tuple):
            batch = dict(inputs=torch.zeros(1, *shape, dtype=torch.uint8), labels=torch.tensor([0]))
            try:
                model.prepare_batch(batch)
            except ValueError as error:
                walk.note('train_dataloader.dataset', str(error))
    if isinstance(dataset, BaseDataset) and isinstance(model, SamplesImages):
        count = len(dataset.metainfo.get('classes') or ())
        walk.attempt('model', lambda: check_class_count(model.num_classes, count))


def check_evaluators(walk: ConfigWalk) -> None:
    """Check the evaluators of both loops, or the metrics without one."""
    for path in ('val_evaluator', 'test_evaluator'):
        cfg, place = walk.cfg.get(path) or [], path
        if isinstance(cfg, dict) and 'type' not in cfg and cfg.keys() != {'metrics'}:
            walk.note(f'{path}.type', "is missing. Add type='GANEvaluator'.")
            cfg = []
        elif isinstance(cfg, dict) and (
            'metrics' in cfg or is_registered(cfg['type'], 'EVALUATOR')
        ):
            target = walk.part(path, {'type': 'Evaluator', **cfg}, 'EVALUATOR')
            if target is GANEvaluator:
                _build_evaluator(walk, path, cfg)
            cfg, place = cfg['metrics'] if target is Evaluator else [], f'{path}.metrics'
        for position, entry in items_of(place, cfg).items():
            _check_metric(walk, position, entry)


def _build_evaluator(walk: ConfigWalk, path: str, cfg: dict) -> None:
    """Build it without its network, which may have to be downloaded, and its training data."""
    given = dict(cfg)
    if cfg.get('extractor') is not None:
        given['extractor'] = dict(type='ModuleExtractor', module=nn.Flatten(), name='none')
    if cfg.get('train_dataset') is not None:
        given['train_dataset'] = SimpleNamespace(metainfo={})
        _check_dataset(walk, f'{path}.train_dataset', cfg['train_dataset'])
    walk.build(path, given, 'EVALUATOR')


def _check_metric(walk: ConfigWalk, path: str, cfg: Any) -> None:
    target = walk.part(path, cfg, 'METRICS')
    metric = None if target is None else walk.build(path, cfg, 'METRICS')
    if isinstance(metric, GANMetric):  # by itself it raises
        walk.attempt(path, lambda: metric.compute_metrics([]))
