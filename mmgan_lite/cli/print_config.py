"""Print a config with its bases merged and options applied.

Example: mmgan-lite print-config gan_mlp_mnist-28x28
"""

import argparse

from mmgan_lite.cli import options


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description='Print a config with its bases merged.')
    options.add_config(parser)
    print(options.load_config(parser.parse_args()).pretty_text)
