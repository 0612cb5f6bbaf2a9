"""Write a report of a training as one HTML page.

Example: mmgan-lite report work_dirs/r3gan_resizeconv_digits-28x28
"""

import argparse
from pathlib import Path

from mmgan_lite.cli import options
from mmgan_lite.visualization import RunLog, write_page


def main() -> None:
    """Read the work dir and write the page."""
    parser = argparse.ArgumentParser(
        description='Write a report of a training as one HTML page: samples, scores, '
        'curves, warnings, config. The page opens without network; a training may still run.'
    )
    parser.add_argument('work_dir', type=Path, help="the config's work_dir")
    parser.add_argument('--out', type=Path, metavar='FILE', help='default: WORK_DIR/report.html')
    args = parser.parse_args()
    with options.reporting(parser.error):
        log = RunLog(args.work_dir)
    out = args.out or args.work_dir / 'report.html'
    options.check_file('--out', out)
    with options.writing('--out', out):
        path = write_page(log, out)
    for note in log.notes:
        print(f'note: {note}')
    print(f'{path} written ({path.stat().st_size / 1e6:.1f} MB)')
