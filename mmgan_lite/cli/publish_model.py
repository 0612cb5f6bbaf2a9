"""Write only the generator of a checkpoint, for sharing.

Example: mmgan-lite publish-model CHECKPOINT published
"""

import argparse
from pathlib import Path

from mmgan_lite.cli import options


@options.reporting()
def main() -> None:
    """Load, write, and print a summary."""
    parser = argparse.ArgumentParser(
        description='Write the generator of a checkpoint, and its config, as one safetensors file.',
        usage='%(prog)s [CONFIG] CHECKPOINT OUT_DIR [options]',
    )
    options.add_weights(parser)
    parser.add_argument('--name', help='beginning of the file name (default: name of the run)')
    args = parser.parse_intermixed_args()
    if len(args.files) < 2:
        raise ValueError('pass CHECKPOINT OUT_DIR')
    out_dir = Path(args.files.pop())
    options.check_folder('OUT_DIR', out_dir)
    inferencer = options.load_inferencer(args)
    with options.writing('OUT_DIR', out_dir):
        path = inferencer.publish(out_dir, args.name, not args.no_ema)
    averaged = not args.no_ema and inferencer.model.generator_ema is not None
    weights = 'the average of the weights' if averaged else 'the last weights'
    print(f'{path}: {weights}, {path.stat().st_size / 1e6:.1f} MB')
