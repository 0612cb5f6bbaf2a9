"""Data loaders, datasets and evaluators; no image is read."""

import functools
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.dataset import BaseDataset, InfiniteSampler
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from torch import nn

from mmgan_lite.config_validation.walk import ConfigWalk, Place, is_known, is_registered, items_of
from mmgan_lite.engine.hooks.gan_checkpoint_hook import check_save_best
from mmgan_lite.evaluation import GANEvaluator, GANMetric, ModuleExtractor
from mmgan_lite.evaluation.report_builder import score_names
from mmgan_lite.utils.interfaces import (
    HasImageShape,
    HasPairShapes,
    PreparesBatches,
    SamplesImages,
    Translates,
)
from mmgan_lite.utils.signatures import package_of
from mmgan_lite.utils.validation import check_class_count

# In place of the data: enough for any number of samples, and few enough for a list of them.
_ITEMS = range(2**21)


def check_data(walk: ConfigWalk) -> None:
    """Check data loaders and datasets, and that the model takes the images of the training data."""
    for path in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if path in walk.parts:
            _check_loader(walk, path, walk.parts[path].cfg)
        sampler = walk.parts.get(f'{path}.sampler')
        must_end = path != 'train_dataloader' or walk.by_epoch
        if sampler is not None and must_end and sampler.is_a(InfiniteSampler):
            text = f'must end here, got {sampler.target.__name__}, which never does.'
            walk.note(f'{path}.sampler.type', f"{text} Use dict(type='DefaultSampler').")
    for path, part in walk.of_kind('DATASETS'):
        dataset = part.target  # of another project it may read data at once
        if part.is_a(BaseDataset) and is_known(dataset):
            dataset = walk.build(path, lazy_init=True)
        if path == 'train_dataloader.dataset':
            _check_images(walk, dataset, part.cfg)


def _check_loader(walk: ConfigWalk, path: str, cfg: dict) -> None:
    needed = ['batch_size', 'sampler']
    if 'sampler' in cfg and ('shuffle' in cfg or 'batch_sampler' in cfg):
        needed.remove('sampler')  # None: torch takes one of its own
    missing = [key for key in needed if cfg.get(key) is None]
    for key in missing:
        walk.note(f'{path}.{key}', 'is missing, and the data loader needs it.')
    parts = ((key, walk.parts.get(f'{path}.{key}')) for key in ('sampler', 'batch_sampler'))
    # One of another project may need the dataset itself.
    foreign = {key: None for key, part in parts if part and not is_known(part.target)}
    if not missing:
        given = {**cfg, 'dataset': _ITEMS, **foreign}
        plain = {key: value for key, value in cfg.items() if not isinstance(value, dict)}
        walk.attempt(path, lambda: Runner.build_dataloader(given), plain)


def _check_images(walk: ConfigWalk, dataset: Any, cfg: dict) -> None:
    model = walk.model
    shapes: dict[str, Any] = {}
    if isinstance(dataset, HasPairShapes):
        source, target = dataset.pair_shapes or (None, None)
        shapes = dict(source=source, target=target)
    elif isinstance(dataset, HasImageShape):
        shapes = dict(inputs=dataset.image_shape)
    # Of a class it may be a property; and a pipeline may change it.
    are_known = not cfg.get('pipeline') and all(isinstance(s, tuple) for s in shapes.values())
    # Of any shape, to find that our dataset is of a kind that the model has no use for.
    is_other_kind = ('source' in shapes) != isinstance(model, Translates)
    is_other_kind &= package_of(type(dataset)) == 'mmgan_lite'
    if shapes and isinstance(model, PreparesBatches) and (are_known or is_other_kind):
        dtype = torch.uint16 if cfg.get('bit_depth') == 16 else torch.uint8
        batch = {
            name: torch.zeros(1, *(shape if are_known else (1, 1, 1)), dtype=dtype)
            for name, shape in shapes.items()
        }
        try:
            model.prepare_batch({**batch, 'labels': torch.tensor([0])})
        except ValueError as error:
            walk.note('train_dataloader.dataset', str(error))
    if isinstance(dataset, BaseDataset) and isinstance(model, SamplesImages):
        count = len(dataset.metainfo.get('classes') or ())
        walk.attempt('model', lambda: check_class_count(model.num_classes, count))


def check_evaluators(walk: ConfigWalk) -> None:
    """Check the evaluators of both loops, or the metrics without one."""
    for path in ('val_evaluator', 'test_evaluator'):
        cfg: Any = walk.cfg.get(path) or []
        is_dict = isinstance(cfg, dict)
        if is_dict and 'type' not in cfg and cfg.keys() != {'metrics'}:
            walk.note(f'{path}.type', "is missing. Add type='GANEvaluator'.")
        elif is_dict and ('metrics' in cfg or is_registered(cfg['type'], 'EVALUATOR')):
            walk.part(path, cfg, Place('EVALUATOR', default=Evaluator))
        else:
            for position, entry in items_of(path, cfg).items():
                walk.part(position, entry, Place('METRICS'))
    for path, _ in [item for item in walk.of_kind('METRICS') if item[1].owner is not GANEvaluator]:
        metric = walk.build(path)
        # By itself it raises, but for one that collects its pairs.
        if isinstance(metric, GANMetric) and 'pairs' not in metric.needs:
            walk.attempt(path, functools.partial(metric.compute_metrics, []))
    names = None  # of the scores of the validation, where they are known
    for path, part in walk.of_kind('EVALUATOR'):
        # Without its network, which may have to be downloaded, and its training data.
        flatten = dict(type='ModuleExtractor', module=nn.Flatten(), name='none')
        stand_ins = dict(extractor=flatten, train_dataset=SimpleNamespace(metainfo={}))
        if part.target is GANEvaluator:
            given = {k: v for k, v in stand_ins.items() if part.cfg.get(k) is not None}
            evaluator, tags = walk.build(path, **given), _tag_of(walk, path)
            if path == 'val_evaluator' and evaluator is not None and tags is not None:
                names = score_names(evaluator.metrics, *tags)
    _check_best(walk, names)


def _tag_of(walk: ConfigWalk, evaluator: str) -> tuple[str, str] | None:
    """What the extractor adds to names of scores, and its name; None if it may choose these."""
    extractor = walk.parts.get(f'{evaluator}.extractor')
    if extractor is None:
        return None if walk.entry(evaluator).get('extractor') else ('', '')
    cfg, target = extractor.cfg, extractor.target
    if package_of(target) != 'mmgan_lite':
        return None
    name = cfg['name'] if target is ModuleExtractor else target.name
    return target.tag if isinstance(target.tag, str) else f'[{name}]', name


def _check_best(walk: ConfigWalk, names: list[str] | None) -> None:
    """Check ``save_best`` against the names of the scores; None if they are not known."""
    hook = walk.parts.get('default_hooks.checkpoint')
    validates = walk.cfg.get('val_evaluator') is not None
    if hook is not None and (wanted := hook.cfg.get('save_best')):
        check = functools.partial(check_save_best, wanted, validates, names)
        walk.attempt('default_hooks.checkpoint.save_best', check)
