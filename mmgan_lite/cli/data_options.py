"""Options of ``mmgan-lite train`` for images of one's own, in place of a config."""

import argparse
import functools
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from mmgan_lite.cli import options
from mmgan_lite.own_data import Request, find_config, parse_budget, prepare_training
from mmgan_lite.utils.atomic_io import atomic_write

_OPTIONS = ('size', 'budget', 'channels', 'bit_depth', 'labels')


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the images, and what may be said of the training that is planned for them."""
    group = parser.add_argument_group('images of your own')
    add = group.add_argument
    text = 'in place of a config: plan a training on the images of a folder or zip, and start it'
    add('--data', metavar='FOLDER', help=text)
    text = 'N for square images, or height and width (default: by the images, at most 64 on a CPU)'
    add('--size', type=options.positive_int, nargs='+', metavar='N', help=text)
    text = 'time until the training ends, such as 90s, 5m or 2h (default: 30m)'
    add('--budget', type=_budget, metavar='TIME', help=text)
    options.add_channels(group)
    text = "of more than 8 bits per channel: 'scale' 16 bits to 8, keep 16, or the range of values"
    add('--bit-depth', nargs='+', metavar='DEPTH', help=text)
    text = 'a .csv or .json file, or a column of parquet files (default: dataset.json, sub-folders)'
    add('--labels', metavar='FILE', help=text)
    add('--no-labels', action='store_const', const=False, dest='labels', help='without labels')


def _budget(text: str) -> float:
    try:
        return parse_budget(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


@options.reporting(errors=options.DATA_ERRORS)
def set_config(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Set ``args.config`` to the config of the images, which is planned unless one is resumed.

    Raises:
        SystemExit: If the options do not fit together, or the images cannot be trained on.
    """
    if args.data is None:
        _require_config(args, parser)
        return
    for name in ('config', 'data_root'):
        if (value := getattr(args, name)) is not None:
            parser.error(f'--data goes without {name.replace("_", "-")}, got {value!r}')
    if args.launcher != 'none':
        parser.error('--launcher needs a config: plan by --data, and train the config it writes')
    if args.size is not None and len(args.size) > 2:
        parser.error(f'--size must be one number or two, got {len(args.size)}')
    request = Request(
        data=args.data,
        size=None if args.size is None else (args.size[0], args.size[-1]),
        channels=args.channels,
        bit_depth=None if args.bit_depth is None else options.parse_bit_depth(args.bit_depth),
        labels=args.labels,
        budget=args.budget,
        work_dir=args.work_dir,
    )
    if args.resume is not None:
        args.config = str(find_config(request))
    else:
        report = functools.partial(print, flush=True)
        args.config = str(prepare_training(request, report, options.progress))


def _require_config(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if args.config is None:
        parser.error('pass a config, or --data FOLDER to train on images of your own')
    for name in _OPTIONS:
        if getattr(args, name) is not None:
            parser.error(f'--{name.replace("_", "-")} goes with --data; a config has its own')


@contextmanager
def keeping_config(path: str) -> Iterator[None]:
    """Keep the text of a config in its own work directory, where Runner writes its form of it."""
    config = Path(path)
    text = config.read_bytes() if config.is_file() else None
    yield
    if text is not None and config.read_bytes() != text:
        with atomic_write(config) as temporary:
            temporary.write_bytes(text)


def print_end(cfg: Config) -> None:
    """Print where the results of a training on images of one's own are."""
    folder = Path(cfg.work_dir)
    checkpoint = folder / f'iter_{cfg.train_cfg.max_iters}.pth'
    print(f'Images during the training: {folder / "samples"}')
    print(f'More: mmgan-lite sample {shlex.quote(str(checkpoint))} --num 64 --out samples')
