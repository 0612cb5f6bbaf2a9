"""All errors of a config at once, without data."""

import copy
import warnings
from collections.abc import Mapping

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmgan_lite.config_validation import data_rules, runner_rules, training_rules
from mmgan_lite.config_validation.walk import ConfigWalk, check_scope


def check_config(cfg: Config | Mapping) -> list[str]:
    """All errors of a config, each as ``where: what``; nothing is read or downloaded.

    Args:
        cfg: The complete config, as Runner gets it; it is not changed.

    Example:
        >>> import mmgan_lite
        >>> cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
        >>> cfg.train_cfg.max_iters = '8000'
        >>> check_config(cfg)
        ["train_cfg.max_iters: must be int, got '8000'."]
    """
    plain = copy.deepcopy(cfg.to_dict() if isinstance(cfg, Config) else dict(cfg))
    walk = ConfigWalk(plain)
    scope = str(plain.get('default_scope') or 'mmengine')
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
        runner_rules.check_entries(walk)
        data_rules.check_evaluators(walk)
        training_rules.build_model(walk)
        data_rules.check_data(walk)
        training_rules.check_optim_wrapper(walk)
        runner_rules.check_hooks(walk, training_rules.check_schedulers(walk))
        runner_rules.check_settings(walk)
    return list(dict.fromkeys(walk.problems))  # what two networks share is checked twice


def require_valid(cfg: Config | Mapping) -> None:
    """Raise ``ValueError`` with all errors of a config, if it has any."""
    if problems := check_config(cfg):
        count = 'an error' if len(problems) == 1 else f'{len(problems)} errors'
        raise ValueError('\n  '.join([f'The config has {count}:', *problems]))
