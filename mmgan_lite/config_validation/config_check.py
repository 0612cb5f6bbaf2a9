"""What is wrong with a config, all of it at once, without data.

Each dict with ``type`` is held against the signature of its class: unknown and missing arguments,
values of another type. What needs no data is then built, the model on torch's meta device, where
tensors have a shape and no memory; what its ``__init__`` refuses is a mistake too. At last the
settings are held against one another.
"""

import copy
import warnings
from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmgan_lite.config_validation.clash_rules import check_average, check_images
from mmgan_lite.config_validation.data_rules import check_data, check_evaluators
from mmgan_lite.config_validation.hook_rules import check_annealing, check_hooks
from mmgan_lite.config_validation.model_rules import check_model
from mmgan_lite.config_validation.optim_rules import check_optim_wrapper, check_schedulers
from mmgan_lite.config_validation.runner_rules import check_loops, check_settings, check_top_level
from mmgan_lite.config_validation.walk import ConfigWalk, check_scope


def check_config(cfg: Config | Mapping) -> list[str]:
    """All mistakes in a config, each as ``where: what``; no data is read, and nothing fetched.

    Args:
        cfg: The whole config, as the Runner gets it; it is not changed.

    Example:
        >>> import mmgan_lite
        >>> cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
        >>> check_config(cfg)
        []
        >>> cfg.model.generator.laten_dim = 3
        >>> cfg.train_cfg.max_iters = '8000'
        >>> for mistake in check_config(cfg):
        ...     print(mistake[:68])
        model.generator.laten_dim: is no argument of MLPGenerator. Did you m
        train_cfg.max_iters: must be int, got '8000'.
    """
    plain = copy.deepcopy(cfg.to_dict() if isinstance(cfg, Config) else dict(cfg))
    walk = ConfigWalk(plain)
    scope = plain.get('default_scope') or 'mmengine'
    if isinstance(scope, str) and (problem := check_scope(scope)):
        return [f'default_scope: {problem}']  # every name in the config hangs on it
    # Seeds and the log belong to the training that may come afterwards.
    with (
        torch.random.fork_rng(devices=[]),
        warnings.catch_warnings(),
        DefaultScope.overwrite_default_scope(scope if isinstance(scope, str) else None),
    ):
        warnings.simplefilter('ignore')
        _check(walk)
    return walk.problems


def require_valid(cfg: Config | Mapping) -> None:
    """Raise if there is any mistake in a config.

    Raises:
        ValueError: That lists all.
    """
    problems = check_config(cfg)
    if problems:
        count = 'a mistake' if len(problems) == 1 else f'{len(problems)} mistakes'
        lines = '\n'.join(f'  {problem}' for problem in problems)
        raise ValueError(f'The config has {count}:\n{lines}')


def _check(walk: ConfigWalk) -> None:
    """Apply all rules; what could be built goes to those that hold one setting against another."""
    check_top_level(walk)
    model = check_model(walk)
    by_epoch = check_loops(walk)
    dataset = check_data(walk, by_epoch)
    optim_wrapper = check_optim_wrapper(walk, model)
    schedulers = check_schedulers(walk, optim_wrapper, by_epoch)
    hooks = check_hooks(walk, by_epoch)
    check_annealing(walk, hooks, model, optim_wrapper, schedulers)
    check_evaluators(walk)
    check_settings(walk)
    check_images(walk, model, dataset)
    check_average(walk, model, optim_wrapper)
