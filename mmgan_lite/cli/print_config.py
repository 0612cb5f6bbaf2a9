"""Print a config with its bases merged and options applied.

Example: mmgan-lite print-config gan_mlp_mnist-28x28
"""

import argparse

from mmgan_lite.cli.options import add_config, add_data_root, load_config


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description='Print a config with its bases merged.')
    add_config(parser)
    add_data_root(parser)
    print(load_config(parser.parse_args()).pretty_text)
