"""Convert a checkpoint of another project to one of ours; nothing in it is run.

Example: mmgan-lite convert-checkpoint ffhq.pkl ffhq.pth
"""

import argparse
from pathlib import Path

from mmgan_lite.checkpoints import write_checkpoint
from mmgan_lite.checkpoints.foreign import SOURCES, convert_checkpoint
from mmgan_lite.cli import options
from mmgan_lite.utils.atomic_io import atomic_write


@options.reporting()
def main() -> None:
    """Convert, write, and print what became of the tensors."""
    parser = argparse.ArgumentParser(
        description='Convert a checkpoint of another project. Beside it a config to train on with '
        'is written, OUT with the ending .py.'
    )
    add = parser.add_argument
    add('file', metavar='IN', help='checkpoint of another project')
    add('out', metavar='OUT', type=Path, help='file to write, such as model.pth')
    text = 'the project (default: told by what is in the file)'
    add('--from', dest='source', choices=['auto', *SOURCES], default='auto', help=text)
    options.add_channel_order(parser)
    args = parser.parse_args()
    out: Path = args.out
    if out.suffix != '.pth':
        raise ValueError(f'OUT must end in .pth, got {str(out)!r}. Pass {out.with_suffix(".pth")}.')
    config = out.with_suffix('.py')
    if config.exists():
        raise ValueError(f'OUT must be a new name, but {str(config)!r} is there. Pass another OUT.')
    options.check_file('OUT', out)
    checkpoint = convert_checkpoint(args.file, args.source, args.channel_order)
    meta = checkpoint['meta']
    with options.writing('OUT', out):
        write_checkpoint(checkpoint, out)
        with atomic_write(config) as temporary:
            temporary.write_text(f'{meta["cfg"]}load_from = {str(out.resolve())!r}\n')
    done = meta['converted']
    print(f'{args.file}: {done["source"]}; {done["tensors"]}')
    print(*done['notes'], 'The state of its optimizers is not taken over.', sep='\n')
    print(done['license'])
    print(f'{out} written. To train on, set the data in {config}: mmgan-lite train {config}')
