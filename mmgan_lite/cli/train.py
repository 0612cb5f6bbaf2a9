"""Train a model from a config, or on images of one's own.

Examples:
    mmgan-lite train r3gan_resizeconv_digits-28x28
    mmgan-lite train --data photos --budget 30m
"""

import argparse
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner

from mmgan_lite.cli import data_options, options
from mmgan_lite.config_validation import require_valid


def main() -> None:
    """Build the Runner from the config and train."""
    text = 'Train a model from a config, or, with --data, on images of your own.'
    parser = argparse.ArgumentParser(description=text)
    options.add_run(parser, optional_config=True)
    data_options.add_data(parser)
    text = 'go on from this checkpoint, or from the newest in the work dir'
    parser.add_argument('--resume', nargs='?', const='auto', metavar='CKPT', help=text)
    text = 'rates and schedules of a resumed run: as it was, or as if it had begun with the config'
    parser.add_argument('--resume-lr', choices=['checkpoint', 'config'], help=text)
    parser.add_argument('--seed', type=int, help="of all random numbers (default: the config's)")
    parser.add_argument('--no-validate', action='store_true', help='no metrics while training')
    args = parser.parse_args()
    data_options.set_config(args, parser)
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
    with data_options.keeping_config(args.config):
        runner = RUNNERS.build(cfg)  # a Runner, if the config names no runner_type
    if isinstance(runner, Runner):
        with options.reporting(errors=options.DATA_ERRORS):
            _ = runner.train_loop, runner.val_loop  # built here, with their data
    with options.keeping_work_dir(cfg.work_dir):
        runner.train()
    if args.data is not None:
        data_options.print_end(cfg)


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
