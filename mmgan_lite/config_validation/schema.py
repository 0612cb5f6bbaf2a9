"""The settings of a config that are no arguments of a class, as signatures."""

from typing import Any, Literal

import mmengine.hooks

# Registry of the parts under an argument; that of the part around it for any other argument.
PART_KINDS = {
    'dataset': 'DATASETS',
    'datasets': 'DATASETS',
    'train_dataset': 'DATASETS',
    'pipeline': 'TRANSFORMS',
    'transforms': 'TRANSFORMS',
    'metrics': 'METRICS',
    'extractor': 'MODELS',
    'init_cfg': 'WEIGHT_INITIALIZERS',
    'vis_backends': 'VISBACKENDS',
}
# Arguments that the owner of a part adds, and those that it fills in where they are missing.
ADDED_BY_OWNER = {'ema': ('model',)}
FILLED_BY_OWNER = {'vis_backends': {'save_dir': ''}}
# Hooks that Runner adds under these names in default_hooks.
RUNNER_HOOKS = {
    'runtime_info': mmengine.hooks.RuntimeInfoHook,
    'timer': mmengine.hooks.IterTimerHook,
    'sampler_seed': mmengine.hooks.DistSamplerSeedHook,
    'logger': mmengine.hooks.LoggerHook,
    'param_scheduler': mmengine.hooks.ParamSchedulerHook,
    'checkpoint': mmengine.hooks.CheckpointHook,
}


def options(
    launcher: Literal['none', 'pytorch', 'slurm', 'mpi'] = 'none',
    log_level: int | Literal['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'] = 'INFO',
) -> Any:
    """Top-level settings for which Runner has a wider type."""


def env_cfg(
    cudnn_benchmark: bool = False,
    mp_cfg: dict = {},  # noqa: B006
    dist_cfg: dict = {},  # noqa: B006
    resource_limit: int = 4096,
) -> Any:
    """The entry of this name."""


def auto_scale_lr(base_batch_size: int, enable: bool = False) -> Any:
    """The entry of this name."""


def weight_factors(lr_mult: float = 1.0, decay_mult: float = 1.0) -> Any:
    """An entry of ``custom_keys`` in ``paramwise_cfg``."""


def paramwise_cfg(
    lr_mult: float = 1.0,
    decay_mult: float = 1.0,
    bias_lr_mult: float = 1.0,
    bias_decay_mult: float = 1.0,
    norm_decay_mult: float = 1.0,
    flat_decay_mult: float = 1.0,
    dwconv_decay_mult: float = 1.0,
    dcn_offset_lr_mult: float = 1.0,
    bypass_duplicate: bool = False,
    custom_keys: dict[str, dict] = {},  # noqa: B006
) -> Any:
    """The entry of an optim wrapper, for MMEngine's constructor."""
