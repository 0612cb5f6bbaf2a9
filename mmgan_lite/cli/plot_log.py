"""Plot the curves of one or several trainings.

Example: mmgan-lite plot-log work_dirs/first work_dirs/second --out curves.png --keys 'loss_*'
"""

import argparse
from pathlib import Path

from mmgan_lite.cli import options
from mmgan_lite.visualization import RunLog, plot_runs


def main() -> None:
    """Read the work dirs and plot."""
    parser = argparse.ArgumentParser(description='Plot losses, metrics and other logged values.')
    add = parser.add_argument
    add('work_dirs', type=Path, nargs='+', metavar='WORK_DIR', help='several are compared')
    add('--out', type=Path, required=True, metavar='FILE.png', help='or .svg, .pdf, ...')
    add('--keys', nargs='+', metavar='KEY', help="such as loss_gen 'FID*'; default: all")
    args = parser.parse_args()
    options.check_file('--out', args.out)
    with options.reporting(parser.error):
        logs = [RunLog(work_dir) for work_dir in args.work_dirs]
        with options.writing('--out', args.out):
            plot_runs(logs, args.out, args.keys)
    for log in logs:
        for note in log.notes:
            print(f'note: {log.work_dir}: {note}')
    print(f'{args.out} written')
