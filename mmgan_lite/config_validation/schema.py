"""The settings of a config that are no arguments of a class."""

from typing import Literal

from mmengine import hooks

# Registry of the parts under an argument; under any other it is that of the part around it.
PART_KINDS = {
    **dict.fromkeys(('dataset', 'datasets', 'train_dataset'), 'DATASETS'),
    **dict.fromkeys(('pipeline', 'transforms'), 'TRANSFORMS'),
    'metrics': 'METRICS',
    'extractor': 'MODELS',
    'init_cfg': 'WEIGHT_INITIALIZERS',
    'vis_backends': 'VISBACKENDS',
}
# Arguments that the owner of a part adds, or fills in where they are missing.
ADDED_BY_OWNER = {'ema': ('model',), 'vis_backends': ('save_dir',)}
# Hooks that Runner adds under these names of default_hooks.
RUNNER_HOOKS = {
    'runtime_info': hooks.RuntimeInfoHook,
    'timer': hooks.IterTimerHook,
    'sampler_seed': hooks.DistSamplerSeedHook,
    'logger': hooks.LoggerHook,
    'param_scheduler': hooks.ParamSchedulerHook,
    'checkpoint': hooks.CheckpointHook,
}
# Keys of ``paramwise_cfg`` in an optim wrapper, and of an entry of ``custom_keys`` in it.
FACTORS = ('lr_mult', 'decay_mult')
PARAMWISE = (
    *('lr_mult', 'decay_mult', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult'),
    *('flat_decay_mult', 'dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate'),
    'custom_keys',
)


def options(
    launcher: Literal['none', 'pytorch', 'slurm', 'mpi'] = 'none',
    log_level: int | Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] = 'INFO',
) -> None:
    """Top-level settings for which Runner has a wider type."""


def env_cfg(
    cudnn_benchmark: bool = False,
    mp_cfg: dict | None = None,
    dist_cfg: dict | None = None,
    resource_limit: int = 4096,
) -> None:
    """The top-level entry."""


def auto_scale_lr(base_batch_size: int, enable: bool = False) -> None:
    """The top-level entry."""
