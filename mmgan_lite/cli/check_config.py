"""Find all errors of configs; no data is read.

Example: mmgan-lite check-config r3gan_resizeconv_digits-28x28 my_config.py
"""

import argparse
import sys

from mmgan_lite.catalog import read_config
from mmgan_lite.cli import options
from mmgan_lite.config_validation import check_config
from mmgan_lite.utils.migration import former_hooks


def find_problems(name: str, cfg_options: dict) -> tuple[list[str], list[str]]:
    """The errors of a config, or that of reading it, and notes."""
    try:
        cfg = options.override_config(read_config(name), cfg_options)
    # A config is code, and may raise anything.
    except Exception as error:
        return [f'cannot be read: {type(error).__name__}: {error}'], []
    return check_config(cfg), former_hooks(cfg)


def main() -> None:
    """Check each config and print its errors; exit with 1 if there are any."""
    parser = argparse.ArgumentParser(description='Find all errors of configs, without data.')
    parser.add_argument('configs', nargs='+', help='paths of configs, or names of the package')
    options.add_cfg_options(parser)
    args = parser.parse_args()
    any_wrong = False
    for name in args.configs:
        problems, notes = find_problems(name, args.cfg_options)
        any_wrong |= bool(problems)
        print(f'{name}: {len(problems)} error(s)' if problems else f'{name}: ok', flush=True)
        for line in (*problems, *(f'note: {note}' for note in notes)):
            print(f'  {line}')
    sys.exit(int(any_wrong))
