"""List the configs of the package, or its registered parts."""

import argparse

from mmgan_lite.catalog import list_components, list_configs
from mmgan_lite.cli import options


def main() -> None:
    """Parse the command line and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    text = "'configs', 'parts' for all of them, or a kind of part such as losses or hooks"
    parser.add_argument('what', nargs='?', default='configs', help=text)
    parser.add_argument('--pattern', default='*', help="which configs, such as 'gan_mlp_*'")
    args = parser.parse_args()
    if args.what == 'configs':
        print('\n'.join(list_configs(args.pattern)))
        return
    with options.reporting(parser.error):
        components = list_components(None if args.what == 'parts' else args.what)
    width = max(len(component.name) for component in components)
    for component in components:
        print(f'{component.name.ljust(width)}  {component.kind}: {component.summary}')
