"""What several commands share: the config, its overrides, the launcher."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config, DictAction

from mmgan_lite.catalog import config_path

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


def load_config(args: argparse.Namespace) -> Config:
    """The config with its overrides, from a path or by name."""
    cfg = Config.fromfile(args.config if Path(args.config).is_file() else config_path(args.config))
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
    return GANInferencer(config, checkpoint, args.device)


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
