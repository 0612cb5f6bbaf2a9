"""Find all errors of configs; no data is read.

Example: mmgan-lite check-config gan_mlp_digits-28x28 my_config.py
"""

import argparse
import sys

from mmengine.config import Config

from mmgan_lite.cli.options import add_cfg_options, read_config
from mmgan_lite.config_validation import check_config
from mmgan_lite.utils.migration import former_hooks


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description='Find all errors of configs, without data.')
    parser.add_argument(
        'configs', nargs='+', help='paths of configs, or names of those of the package'
    )
    add_cfg_options(parser)
    return parser.parse_args()


def load(name: str, args: argparse.Namespace) -> Config | str:
    """The config, or the error of reading it."""
    try:
        return read_config(name, args.cfg_options)
    # A config is code, and may raise anything.
    except Exception as error:
        return f'cannot be read: {type(error).__name__}: {error}'


def main() -> None:
    """Check each config and print its errors; exit with 1 if there are any."""
    args = parse_args()
    any_wrong = False
    for name in args.configs:
        cfg = load(name, args)
        problems = [cfg] if isinstance(cfg, str) else check_config(cfg)
        any_wrong |= bool(problems)
        count = 'ok' if not problems else f'{len(problems)} error(s)'
        print(f'{name}: {count}', flush=True)
        for problem in problems:
            print(f'  {problem}')
        for note in () if isinstance(cfg, str) else former_hooks(cfg):
            print(f'  note: {note}')
    sys.exit(int(any_wrong))
