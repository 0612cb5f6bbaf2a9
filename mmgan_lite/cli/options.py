"""What several commands share: the config, its overrides, the launcher."""

import argparse
import os
from pathlib import Path

from mmengine.config import Config, DictAction

from mmgan_lite.catalog import config_path, set_data_root


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the config and its overrides."""
    parser.add_argument('config', help='path of a config, or name of one that comes with us')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='override settings, such as model.generator.latent_dim=64',
    )


def add_data_root(parser: argparse.ArgumentParser) -> None:
    """Add where the data lies; a config names its folder once for each loader and evaluator."""
    parser.add_argument(
        '--data-root',
        metavar='FOLDER',
        help="data_root of every dataset in the config (default: the config's)",
    )


def load_config(args: argparse.Namespace) -> Config:
    """The config with its overrides, from a path or by name."""
    cfg = Config.fromfile(args.config if Path(args.config).is_file() else config_path(args.config))
    if getattr(args, 'data_root', None) is not None:
        set_data_root(cfg, args.data_root)
    cfg.merge_from_dict(args.cfg_options)
    return cfg


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add what the starters of several processes give."""
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    # torchrun sets the environment variable; older launchers pass the argument, in either spelling.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def set_launcher(cfg: Config, args: argparse.Namespace) -> None:
    """Hand the launcher to the Runner, and connect the processes that it started."""
    # Loads the Runner, which a command that only prints a config does without.
    from mmgan_lite.apis import connect_processes

    cfg.launcher = args.launcher
    if args.launcher == 'pytorch':
        os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    connect_processes(cfg)


def add_old_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the flag that old checkpoints need."""
    parser.add_argument(
        '--old-checkpoint',
        action='store_true',
        help='the checkpoint is one that MMEngine wrote without SafeCheckpointHook: read its log '
        'history too (still no code of it is run)',
    )


def set_safe_loading(cfg: Config, args: argparse.Namespace) -> None:
    """Let the Runner load no code, whether or not the config has ``SafeCheckpointHook``."""
    from mmgan_lite.checkpoints import use_safe_loader

    use_safe_loader(args.old_checkpoint)
    if args.old_checkpoint:
        hooks = cfg.setdefault('default_hooks', {})
        hook = hooks.get('safe_checkpoint') or dict(type='mmgan_lite.SafeCheckpointHook')
        hooks['safe_checkpoint'] = {**hook, 'old_checkpoint': True}
