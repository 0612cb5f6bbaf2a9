"""All errors of a config at once, without data.

Each dict with ``type`` is compared with the signature of its class: unknown and missing arguments,
values of another type. What needs no data is then built, the model on torch's meta device, where
tensors have a shape and no memory, so that an ``__init__`` that raises is found too. Last, the
settings are compared with each other.
"""

import copy
import warnings
from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmgan_lite.config_validation.data_rules import check_data, check_evaluators, check_images
from mmgan_lite.config_validation.hook_rules import check_annealing, check_hooks
from mmgan_lite.config_validation.model_rules import check_model
from mmgan_lite.config_validation.optim_rules import check_optim_wrapper, check_schedulers
from mmgan_lite.config_validation.runner_rules import check_loops, check_settings, check_top_level
from mmgan_lite.config_validation.walk import ConfigWalk, check_scope
from mmgan_lite.utils.interfaces import HasPlayers


def check_config(cfg: Config | Mapping) -> list[str]:
    """All errors of a config, each as ``where: what``; nothing is read or downloaded.

    Args:
        cfg: The complete config, as Runner gets it; it is not changed.

    Example:
        >>> import mmgan_lite
        >>> cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
        >>> check_config(cfg)
        []
        >>> cfg.model.generator.laten_dim = 3
        >>> cfg.train_cfg.max_iters = '8000'
        >>> for error in check_config(cfg):
        ...     print(error[:75])
        model.generator.laten_dim: MLPGenerator has no argument 'laten_dim'. Did you
        train_cfg.max_iters: must be int, got '8000'.
    """
    plain = copy.deepcopy(cfg.to_dict() if isinstance(cfg, Config) else dict(cfg))
    walk = ConfigWalk(plain)
    scope = plain.get('default_scope') or 'mmengine'
    scope = scope if isinstance(scope, str) else 'mmengine'
    walk.attempt('default_scope', lambda: check_scope(scope))
    if walk.problems:
        return walk.problems  # every name in the config depends on it
    # The training that may follow has its own random numbers and log.
    with (
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        DefaultScope.overwrite_default_scope(scope),
    ):
        warnings.simplefilter('ignore')
        _check(walk)
    return walk.problems


def require_valid(cfg: Config | Mapping) -> None:
    """Raise if a config has errors.

    Raises:
        ValueError: With all of them.
    """
    problems = check_config(cfg)
    if problems:
        count = 'an error' if len(problems) == 1 else f'{len(problems)} errors'
        lines = '\n'.join(f'  {problem}' for problem in problems)
        raise ValueError(f'The config has {count}:\n{lines}')


def _check(walk: ConfigWalk) -> None:
    """Apply all rules: first to each part, last to those that were built."""
    check_top_level(walk)
    check_model(walk)
    check_loops(walk)
    check_data(walk)
    check_optim_wrapper(walk)
    schedulers = check_schedulers(walk)
    hooks = check_hooks(walk)
    check_evaluators(walk)
    check_settings(walk)
    check_annealing(walk, hooks, schedulers)
    check_images(walk)
    model, size = walk.model, walk.setting('train_dataloader', 'batch_size')
    if walk.optim_wrapper is not None and type(size) is int and isinstance(model, HasPlayers):
        walk.attempt('model.ema', lambda: model.check_average(walk.optim_wrapper, size))
