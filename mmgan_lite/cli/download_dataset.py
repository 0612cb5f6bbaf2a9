"""Download data that the authors of pix2pix and CycleGAN published.

Example: mmgan-lite download-dataset facades --out data
"""

import argparse
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mmgan_lite.cli import options
from mmgan_lite.datasets.translation_archives import ARCHIVES, download_archive


@options.reporting(errors=(OSError, ValueError))
def main() -> None:
    """Download, unpack, and print where it is."""
    parser = argparse.ArgumentParser(description='Download published data for image translation.')
    parser.add_argument('name', choices=ARCHIVES, help='name of the data')
    text = 'folder to put the folder NAME into (default: data)'
    parser.add_argument('--out', type=Path, default=Path('data'), metavar='FOLDER', help=text)
    args = parser.parse_args()
    columns = (TextColumn(args.name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(args.name, total=None)
        found = download_archive(
            args.name,
            args.out,
            lambda done, total: progress.update(task, completed=done, total=total or None),
        )
    if found.sha256 is None:
        print(f'{found.folder} is there already; nothing is downloaded.')
        return
    print(f'{args.name}: {found.folder}')
    print(f'sha256 of the archive (the authors publish none to compare it with): {found.sha256}')
