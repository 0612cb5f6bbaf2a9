"""Train a model from a config, or on a folder of images.

Examples:
    mmgan-lite train r3gan_resizeconv_digits-28x28
    mmgan-lite train --data photos --size 64 --budget 30m
"""

import argparse
import functools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmgan_lite.cli import options
from mmgan_lite.config_validation import require_valid
from mmgan_lite.own_data import Request, find_config, parse_budget, prepare_training
from mmgan_lite.utils.atomic_io import atomic_write


def main() -> None:
    """Build the Runner from the config and train."""
    parser = argparse.ArgumentParser(
        description='Train a model from a config, or by --data on a folder of images.'
    )
    options.add_run(parser, optional_config=True)
    _add_data(parser)
    text = 'go on from this checkpoint, or from the newest in the work dir'
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CKPT', help=text)
    text = 'rates and schedules of a resumed run: as it was, or as if it had begun with the config'
    parser.add_argument('--resume-lr', choices=['checkpoint', 'config'], help=text)
    parser.add_argument('--seed', type=int, help="of all random numbers (default: the config's)")
    parser.add_argument('--no-validate', action='store_true', help='no metrics while training')
    args = parser.parse_args()
    if args.data is not None:
        args.config = str(_plan(args, parser))
    elif args.config is None:
        parser.error('pass a config, or --data FOLDER to train on images of your own')
    elif given := _given(args):
        parser.error(f'{given[0]} goes with --data; a config has settings of its own')
    cfg = options.load_run(args)
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
        if args.resume != 'auto' and '://' not in args.resume and not Path(args.resume).is_file():
            text = f'--resume must be a checkpoint, but {args.resume!r} is no file. Check the path,'
            options.end_command(f'{text} or pass --resume alone for the newest in the work dir.')
    if args.resume_lr is not None:
        _set_resume_lr(cfg, args)
    with options.reporting(sys.exit):
        require_valid(cfg)
    options.start_run(cfg, args)
    with _keeping(Path(args.config)):
        runner = RUNNERS.build(cfg)  # a Runner, if the config names no runner_type
    if isinstance(runner, Runner):
        with options.reporting(errors=options.DATA_ERRORS):
            _ = runner.train_loop, runner.val_loop  # built here, with their data
    with options.keeping_work_dir(cfg.work_dir):
        runner.train()


def _add_data(parser: argparse.ArgumentParser) -> None:
    """Add the images to plan a training for, and what may be said of the plan."""
    text = 'in place of a config: plan a training for the images of a folder or zip, and start it'
    group = parser.add_argument_group('images of your own')
    group.add_argument('--data', metavar='FOLDER', help=text)
    text = 'N for square images, or height and width (default: by the images, at most 64 on a CPU)'
    group.add_argument('--size', type=options.positive_int, nargs='+', metavar='N', help=text)
    text = 'time until the end of the training, such as 90s, 5m or 2h (default: 30m)'
    group.add_argument('--budget', type=_budget, metavar='TIME', help=text)
    options.add_channels(group)
    text = "of images of 16 bits: 'scale' for all values, or two values for black and white"
    group.add_argument('--bit-depth', nargs='+', metavar='VALUE', help=text)
    text = 'train without labels, whatever the data has'
    group.add_argument('--no-classes', action='store_const', const=True, help=text)


def _budget(text: str) -> float:
    try:
        return parse_budget(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _given(args: argparse.Namespace) -> list[str]:
    """Options of --data that are given."""
    names = ('size', 'budget', 'channels', 'bit_depth', 'no_classes')
    return [f'--{name.replace("_", "-")}' for name in names if getattr(args, name) is not None]


# A KeyError and so on would be errors of ours.
@options.reporting(errors=options.DATA_ERRORS)
def _plan(args: argparse.Namespace, parser: argparse.ArgumentParser) -> Path:
    """The config of a training on images of one's own, which is written unless it is resumed."""
    if args.config is not None:
        parser.error(f'--data goes without a config, got {args.config!r}')
    if args.data_root is not None or args.launcher != 'none':
        name = '--data-root' if args.data_root is not None else '--launcher'
        parser.error(f'{name} needs a config: plan by --data, then train the config it writes')
    if args.size is not None and len(args.size) > 2:
        parser.error(f'--size must be one number or two, got {len(args.size)}')
    request = Request(
        data=args.data,
        size=None if args.size is None else (args.size[0], args.size[-1]),
        channels=args.channels,
        bit_depth=_bit_depth(args.bit_depth),
        classes=False if args.no_classes else None,
        budget=args.budget,
        work_dir=args.work_dir,
    )
    if args.resume is not None:
        return find_config(request)
    return prepare_training(request, functools.partial(print, flush=True), options.progress)


def _bit_depth(values: list[str] | None) -> str | tuple[float, float] | None:
    if values is None or values == ['scale']:
        return None if values is None else 'scale'
    try:
        low, high = map(float, values)
    except ValueError:
        raise ValueError(
            f"--bit-depth must be 'scale' or two numbers, got {' '.join(values)!r}. Pass scale."
        ) from None
    return low, high


@contextmanager
def _keeping(config: Path) -> Iterator[None]:
    """Keep the text of a config in its own work directory, where Runner writes its form of it."""
    text = config.read_bytes() if config.is_file() else None
    yield
    if text is not None and config.read_bytes() != text:
        with atomic_write(config) as temporary:
            temporary.write_bytes(text)


def _set_resume_lr(cfg: Config, args: argparse.Namespace) -> None:
    if args.resume is None:
        options.end_command(f'--resume-lr {args.resume_lr} needs --resume. Add it.')
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    kind = hook.get('type')
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    if name.rpartition('.')[2] != 'GANCheckpointHook':
        text = f'--resume-lr needs GANCheckpointHook as default_hooks.checkpoint, got {name}.'
        options.end_command(f"{text} Set default_hooks.checkpoint.type='GANCheckpointHook'.")
    hook['resume_lr'] = args.resume_lr
