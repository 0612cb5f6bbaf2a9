"""Metrics and hooks of old configs."""

from collections.abc import Callable
from typing import Any

from mmgan_lite.config_migration.section import Section

Settings = dict[str, Any]


def _counted(kind: str, argument: str) -> Callable[[int | None], Settings]:
    return lambda count: dict(type=kind, **({argument: count} if count else {}))


# By the number of images there.
_METRICS: dict[str, Callable[[int | None], Settings]] = dict(
    FID=lambda _: dict(type='FrechetDistance'),
    FrechetInceptionDistance=lambda _: dict(type='FrechetDistance'),
    TransFID=lambda _: dict(type='FrechetDistance'),
    IS=lambda _: dict(type='InceptionScore'),
    InceptionScore=lambda _: dict(type='InceptionScore'),
    TransIS=lambda _: dict(type='InceptionScore'),
    PR=lambda _: dict(type='PrecisionRecall'),
    PrecisionAndRecall=lambda _: dict(type='PrecisionRecall'),
    PPL=_counted('PerceptualPathLength', 'num_pairs'),
    PerceptualPathLength=_counted('PerceptualPathLength', 'num_pairs'),
    MS_SSIM=_counted('MSSSIM', 'num_images'),
    MultiScaleStructureSimilarity=_counted('MSSSIM', 'num_images'),
    SWD=_counted('SlicedWassersteinDistance', 'num_images'),
    SlicedWassersteinDistance=_counted('SlicedWassersteinDistance', 'num_images'),
)
_FEATURES = ('FrechetDistance', 'InceptionScore', 'PrecisionRecall', 'PerceptualPathLength')
_DRAWING = (
    'GenVisualizationHook',
    'VisualizationHook',
    'BasicVisualizationHook',
    'VisualizeUnconditionalSamples',
    'MMGenVisualizationHook',
)
_OLD_RUNNER = (
    'dist_params', 'opencv_num_threads', 'mp_start_method', 'log_level', 'workflow',
    'use_ddp_wrapper', 'find_unused_parameters', 'cudnn_benchmark', 'env_cfg', 'log_processor',
    'model_wrapper_cfg', 'visualizer', 'vis_backends', 'default_scope', 'test_pipeline',
    'train_pipeline', 'val_pipeline',
)  # fmt: skip


def migrate_evaluator(metrics: list[Section]) -> Settings | None:
    """Our evaluator; None without metrics that ours has."""
    found: list[Settings] = []
    counts = []
    for metric in metrics:
        kind = str(metric.take('type')).rpartition('.')[2]
        count = metric.take('fake_nums') or metric.take('num_images')
        metric.ignore(
            *('prefix', 'inception_pkl', 'inception_args', 'inception_style', 'bgr2rgb'),
            *('sample_model', 'real_nums', 'real_key', 'fake_key', 'image_shape', 'collect_device'),
            *('space', 'sampling', 'k', 'need_cond_input', 'full_batch_size', 'vgg16_script'),
        )
        if kind not in _METRICS:
            metric.list_('type', 'ours has no such metric')
            metric.ignore(*metric.table)
            continue
        if (settings := _METRICS[kind](count)) not in found:
            found.append(settings)
            counts += [count] if count and settings['type'] != 'PerceptualPathLength' else []
    if not found:
        return None
    evaluator: Settings = dict(type='GANEvaluator', metrics=found)
    if any(entry['type'] in _FEATURES for entry in found):
        evaluator['extractor'] = dict(type='InceptionV3')
    return evaluator | (dict(num_samples=max(counts)) if counts else {})


def take_metrics(config: Section) -> tuple[list[Section], list[Section], int | None]:
    """Metrics during training and after it, and the iterations from one evaluation to the next."""
    old = config.section('evaluation')
    old.ignore('type', 'sample_kwargs', 'best_metric', 'by_epoch')
    while_training, interval = old.sections('metrics'), old.take('interval')
    after = []
    if 'metrics' in config:
        named = config.section('metrics') if isinstance(config.table['metrics'], dict) else None
        after = config.sections('metrics') if named is None else _all_of(named)
    for name, metrics in (('val', while_training), ('test', after)):
        evaluator = config.section(f'{name}_evaluator')
        evaluator.ignore('type')
        metrics += evaluator.sections('metrics')
    return while_training, after or while_training, interval


def _all_of(named: Section) -> list[Section]:
    return [named.section(key) for key in list(named.table)]


def migrate_hooks(config: Section, hooks: list[Section]) -> Settings:
    """``default_hooks`` of ours: what the old ones say of intervals."""
    default = config.section('default_hooks')
    found: Settings = {}
    saving = config.section('checkpoint_config')
    for section in (saving, default.section('checkpoint')):
        section.ignore('type', 'by_epoch', 'save_optimizer', 'out_dir', 'save_best', 'rule')
        section.ignore('greater_keys', 'less_keys')
        kept = {key: section.take(key) for key in ('interval', 'max_keep_ckpts') if key in section}
        found |= dict(checkpoint=kept) if kept else {}
    for section in (config.section('log_config'), default.section('logger')):
        section.ignore('type', 'hooks', 'log_metric_by_epoch', 'by_epoch')
        if 'interval' in section:
            found['logger'] = dict(interval=section.take('interval'))
    default.ignore('timer', 'param_scheduler', 'sampler_seed', 'runtime_info')
    for hook in hooks:
        _read_hook(hook, found)
    return found


def _read_hook(hook: Section, found: Settings) -> None:
    kind = str(hook.table.get('type', '')).rpartition('.')[2]
    if kind in _DRAWING:
        found['samples'] = dict(interval=hook.take('interval', 1000))
    elif kind == 'PGGANFetchDataHook' or kind == 'PickleDataHook':
        pass
    elif 'type' in hook:
        hook.list_('type', 'ours has no such hook')
    hook.ignore(*hook.table)


def ignore_runner(config: Section) -> int:
    """Leave out what our default runtime sets; how many settings those are."""
    there = [key for key in _OLD_RUNNER if key in config]
    config.ignore(*there)
    return len(there)
