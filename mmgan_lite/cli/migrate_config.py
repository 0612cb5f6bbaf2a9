"""Turn a config of MMGeneration or MMagic into one of ours; nothing in it is run.

Example: mmgan-lite migrate-config dcgan_mnist.py my_dcgan.py
"""

import argparse
from pathlib import Path

from mmgan_lite.cli import options
from mmgan_lite.config_migration import migrate_config
from mmgan_lite.utils.atomic_io import atomic_write


@options.reporting()
def main() -> None:
    """Migrate, write or print the config, and list what was not migrated."""
    parser = argparse.ArgumentParser(
        description='Turn a config of a GAN of MMGeneration 0.x or MMagic 1.x, with its bases, '
        'into one of mmgan_lite.'
    )
    add = parser.add_argument
    add('config', metavar='OLD', type=Path, help='the old config; its bases are read with it')
    text = 'file to write, which must be new (default: the config is printed)'
    add('out', metavar='OUT', nargs='?', type=Path, help=text)
    args = parser.parse_args()
    out: Path | None = args.out
    if out is not None and (out.exists() or out.suffix != '.py'):
        raise ValueError(f'OUT must be a new file that ends in .py, got {str(out)!r}.')
    migration = migrate_config(args.config)
    if out is None:
        print(migration.text, end='')
        return
    with options.writing('OUT', out), atomic_write(out) as temporary:
        temporary.write_text(migration.text, 'utf-8')
    for line in migration.listed:
        print(f'not migrated: {line}')
    print(
        f'{out}: {len(migration.listed)} settings were not migrated; {migration.ignored} of the '
        f'old runtime are those of ours. Set the data, then: mmgan-lite check-config {out}'
    )
