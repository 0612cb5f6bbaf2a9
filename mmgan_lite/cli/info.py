"""Explain one registered part (arguments, documentation) or print one config."""

import argparse

from mmgan_lite.catalog import explain


def main() -> None:
    """Parse the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('name', help='such as MLPGenerator, or gan_mlp_digits-28x28')
    args = parser.parse_args()
    try:
        print(explain(args.name))
    except ValueError as error:
        parser.error(str(error))
