"""CycleGAN of its authors: ``latest_net_G_A.pth``, and ``G_B``, ``D_A``, ``D_B`` beside it.

Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
arXiv:1703.10593.
"""

import re

from torch import Tensor

from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile
from mmgan_lite.checkpoints.foreign.state_files import tensors_of, with_siblings
from mmgan_lite.checkpoints.foreign.translators import (
    ADAM,
    convert_patchgan,
    convert_translator,
    is_cycle,
    is_resnet,
    is_unet,
)

# Names of theirs, from ours. Their D_A judges the images of G_A, which are of domain B.
_NETWORKS = dict(
    generator_a2b='G_A', generator_b2a='G_B', discriminator_b='D_A', discriminator_a='D_B'
)


def recognizes(file: ForeignFile) -> bool:
    """A ResNet; a U-Net if its file is named as one of two directions."""
    tensors = tensors_of(file)
    return is_resnet(tensors) or (is_unet(tensors) and is_cycle(file.path))


def convert(file: ForeignFile) -> Conversion:
    """The generator, and the other networks where they are beside it."""
    given = re.search(r'net_(G_[AB])', file.path.name)
    names = {}
    if given is not None:
        names = {
            theirs: file.path.name.replace(given[0], f'net_{theirs}')
            for theirs in _NETWORKS.values()
        }
    ledger, found = with_siblings(file, names)
    notes = []
    if given is not None and given[1] == 'G_B' and 'G_A' not in found:
        notes.append('There is no G_A beside it: its direction, from B to A, is called a2b here.')
        found['G_A'] = found['']
    else:
        found.setdefault(given[1] if given is not None else 'G_A', found[''])
    state, configs, fresh = dict[str, Tensor](), dict[str, dict](), list[str]()
    for ours, theirs in _NETWORKS.items():
        if theirs not in found:
            fresh.append(ours)
            continue
        convert_network = convert_translator if theirs.startswith('G') else convert_patchgan
        config, tensors = convert_network(ledger.under(found[theirs]))
        kind = ours.partition('_')[0]
        if configs.setdefault(kind, config) != config:
            raise file.refuse(
                f'has networks beside it of other sizes: {found[theirs][:-2]}',
                'Put the files of one training into a folder',
            )
        state |= {f'{ours}.{name}': tensor for name, tensor in tensors.items()}
    generator = configs['generator']
    judge = dict(type='PatchDiscriminator', in_channels=generator['out_channels'], norm='instance')
    if 'generator_b2a' in fresh:
        notes.append('Only the direction a2b is in the file.')
    return Conversion(
        model=dict(
            type='CycleGAN',
            generator=generator,
            discriminator=configs.get('discriminator', judge),
            loss=dict(type='LeastSquaresGANLoss'),
        ),
        state=state,
        ledger=ledger,
        optim_wrapper=dict(generator=ADAM, discriminator=ADAM),
        batch_size=1,
        fresh=tuple(fresh),
        notes=notes,
    )
