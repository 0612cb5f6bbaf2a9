"""Convert a checkpoint of another project to one of ours; nothing in it is run.

Example: mmgan-lite convert-checkpoint ffhq.pkl ffhq.pth
"""

import argparse
from pathlib import Path

import torch

from mmgan_lite.checkpoints import write_checkpoint
from mmgan_lite.checkpoints.foreign import SOURCES, convert_checkpoint
from mmgan_lite.checkpoints.foreign.colors import color_warning
from mmgan_lite.cli import options
from mmgan_lite.utils.atomic_io import atomic_write

# Images of each kind whose colors are compared, at most.
_NUM_COMPARED = 64


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
    text = 'folder of such images as it trained on: warns if red and blue seem to be exchanged'
    add('--data-root', metavar='FOLDER', help=text)
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
    if args.data_root is not None:
        print(_compare_colors(out, args.data_root))
    print(done['license'])
    print(f'{out} written. To train on, set the data in {config}: mmgan-lite train {config}')


def _compare_colors(checkpoint: Path, folder: str) -> str:
    """What the mean colors of samples and data say about the order of the channels."""
    from mmgan_lite.datasets import ImageFolderDataset
    from mmgan_lite.inference import load_model
    from mmgan_lite.models import GAN

    model = load_model(None, checkpoint, False).model.eval()
    if not isinstance(model, GAN) or model.image_shape[0] != 3:
        return 'Colors are compared of models that draw images from latents, of three channels.'
    data = ImageFolderDataset(folder, image_size=model.image_shape[1:], labels=False)
    step = -(-len(data) // _NUM_COMPARED)
    images = torch.stack([data[index]['inputs'] for index in range(0, len(data), step)])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        samples = model.data_preprocessor.to_uint8(model.sample(_NUM_COMPARED))
    text = color_warning(samples, images)
    return 'The colors agree with the data, or do not tell.' if text is None else f'warning: {text}'
