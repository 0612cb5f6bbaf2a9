"""Write only the generator of a checkpoint, for sharing.

Example: mmgan-lite publish-model CHECKPOINT published
"""

import argparse
from pathlib import Path

from mmgan_lite.cli.options import add_weights, check_folder, load_inferencer, writing


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description='Write the generator of a checkpoint as one safetensors file, which holds its '
        'config and has its hash in the name.',
        usage='%(prog)s [CONFIG] CHECKPOINT OUT_DIR [options]',
    )
    add_weights(parser)
    parser.add_argument('--name', help='beginning of the file name (default: name of the run)')
    parser.add_argument('--no-ema', action='store_true', help='the last weights, not their average')
    return parser.parse_intermixed_args()


def main() -> None:
    """Load, write, and print a summary."""
    args = parse_args()
    if len(args.files) < 2:
        raise SystemExit('error: pass CHECKPOINT OUT_DIR')
    out_dir = Path(args.files.pop())
    check_folder('OUT_DIR', out_dir)
    try:
        inferencer = load_inferencer(args)
        with writing('OUT_DIR', out_dir):
            path = inferencer.publish(out_dir, args.name, not args.no_ema)
    except ValueError as error:
        raise SystemExit(f'error: {error}') from None
    averaged = not args.no_ema and inferencer.model.generator_ema is not None
    weights = 'the average of the weights' if averaged else 'the last weights'
    print(f'{path}: {weights}, {path.stat().st_size / 1e6:.1f} MB')
