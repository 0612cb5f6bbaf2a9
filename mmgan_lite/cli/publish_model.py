"""Write only the generators of a checkpoint, for sharing.

Example: mmgan-lite publish-model CHECKPOINT published
"""

import argparse
from pathlib import Path

from mmgan_lite.cli import options
from mmgan_lite.inference.publishing import has_average, publish_loaded


@options.reporting()
def main() -> None:
    """Load, write, and print a summary."""
    parser = argparse.ArgumentParser(
        description='Write the generators of a checkpoint, and their config, as one safetensors '
        'file.',
        usage='%(prog)s [CONFIG] CHECKPOINT OUT_DIR [options]',
    )
    options.add_weights(parser)
    parser.add_argument('--name', help='beginning of the file name (default: name of the run)')
    args = parser.parse_intermixed_args()
    if len(args.files) < 2:
        raise ValueError('pass CHECKPOINT OUT_DIR')
    out_dir = Path(args.files.pop())
    options.check_folder('OUT_DIR', out_dir)
    loaded = options.load_trained(args)
    with options.writing('OUT_DIR', out_dir):
        path = publish_loaded(loaded, out_dir, args.name, not args.no_ema)
    averaged = not args.no_ema and has_average(loaded.model)
    weights = 'the average of the weights' if averaged else 'the last weights'
    print(f'{path}: {weights}, {path.stat().st_size / 1e6:.1f} MB')
