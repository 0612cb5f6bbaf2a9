"""What several commands share: the config, its overrides, the launcher."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config, DictAction

from mmgan_lite.catalog import config_path, set_data_root

if TYPE_CHECKING:
    from mmgan_lite.apis import GANInferencer


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the config and its overrides."""
    parser.add_argument('config', help='path of a config, or name of one that comes with us')
    _add_cfg_options(parser)


def _add_cfg_options(parser: argparse.ArgumentParser) -> None:
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


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add a trained model: its weights, and its config where that is not inside.

    Parse with ``parse_intermixed_args``, for options may stand between the two.
    """
    parser.add_argument(
        'files',
        nargs='+',
        metavar='CHECKPOINT',
        help='what training or publish-model wrote; before it, CONFIG to take another config than '
        'the one inside',
    )
    _add_cfg_options(parser)
    parser.add_argument(
        '--import',
        dest='imports',
        nargs='+',
        default=[],
        metavar='MODULE',
        help='modules that register parts which the model uses; a checkpoint never imports any',
    )
    add_old_checkpoint(parser)
    parser.add_argument('--device', help='cpu, cuda, ... (default: a GPU where there is one)')


def load_inferencer(args: argparse.Namespace) -> 'GANInferencer':
    """What draws from the weights that :func:`add_weights` takes.

    Raises:
        SystemExit: If there are more files than two.
        ValueError: As from ``GANInferencer``.
    """
    # Loads torch, which a command that only prints a config does without.
    from mmgan_lite.apis import GANInferencer

    *configs, checkpoint = args.files
    if len(configs) > 1:
        raise SystemExit(f'error: pass CHECKPOINT, or CONFIG CHECKPOINT; got {args.files}')
    if args.cfg_options and not configs:
        raise SystemExit('error: --cfg-options changes a config: pass CONFIG CHECKPOINT')
    sys.path.insert(0, os.getcwd())  # as with python -m, a user's own modules are found
    for module in args.imports:
        importlib.import_module(module)
    sys.path.pop(0)
    config = None
    if configs:
        config = load_config(argparse.Namespace(config=configs[0], cfg_options=args.cfg_options))
    return GANInferencer(config, checkpoint, args.device, args.old_checkpoint)


def parse_labels(text: str | None, num_classes: int | None) -> list[int | str] | None:
    """Turn '3,7', 'cat,dog' or 'all' into numbers and names of classes."""
    if text is None:
        return None
    if text == 'all':
        if num_classes is None:
            raise SystemExit('error: --labels needs a conditional model, and this has no classes')
        return list(range(num_classes))
    labels = [label.strip() for label in text.split(',')]
    return [int(label) if label.lstrip('-').isdigit() else label for label in labels]
