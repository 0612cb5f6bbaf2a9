"""The settings of a config that are no arguments of a class."""

from typing import Any, Literal

import mmengine.hooks

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
    'runtime_info': mmengine.hooks.RuntimeInfoHook,
    'timer': mmengine.hooks.IterTimerHook,
    'sampler_seed': mmengine.hooks.DistSamplerSeedHook,
    'logger': mmengine.hooks.LoggerHook,
    'param_scheduler': mmengine.hooks.ParamSchedulerHook,
    'checkpoint': mmengine.hooks.CheckpointHook,
}
# Dicts that MMEngine reads key by key, as signatures.


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
    custom_keys: dict[str, Any] | None = None,
) -> None:
    """The entry of an optim wrapper."""


def custom_key(lr_mult: float = 1.0, decay_mult: float = 1.0) -> None:
    """An entry of ``custom_keys`` in ``paramwise_cfg``."""
