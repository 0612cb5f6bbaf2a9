"""Explain one registered part (arguments, documentation) or print one config."""

import argparse

from mmgan_lite.catalog import explain
from mmgan_lite.cli import options


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name', help='such as MLPGenerator, or gan_mlp_digits-28x28')
    with options.reporting(parser.error):
        print(explain(parser.parse_args().name))
