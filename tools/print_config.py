"""Print a config as the Runner gets it: bases merged, options applied.

Example: python tools/print_config.py configs/gan/gan_mlp_mnist-28x28.py
"""

import argparse

from mmengine.config import Config, DictAction


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description='Print a config with its bases merged.')
    parser.add_argument('config', help='path of the config file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    print(cfg.pretty_text)


if __name__ == '__main__':
    main()
