"""pix2pix of its authors: ``latest_net_G.pth``, and ``latest_net_D.pth`` beside it.

Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks,
arXiv:1611.07004.
"""

from typing import Any

from mmgan_lite.checkpoints.foreign.source import Conversion, ForeignFile
from mmgan_lite.checkpoints.foreign.state_files import tensors_of, with_siblings
from mmgan_lite.checkpoints.foreign.translators import (
    ADAM,
    convert_patchgan,
    convert_translator,
    is_cycle,
    is_unet,
)


def recognizes(file: ForeignFile) -> bool:
    """A U-Net, unless its file is named as one of two directions."""
    return is_unet(tensors_of(file)) and not is_cycle(file.path)


def convert(file: ForeignFile) -> Conversion:
    """The generator, and the discriminator where it is beside it."""
    ledger, found = with_siblings(file, dict(D=file.path.name.replace('net_G', 'net_D')))
    generator = convert_translator(ledger.under(found['']))
    state = {f'generator.{name}': tensor for name, tensor in generator.state.items()}
    channels = generator.config['in_channels'] + generator.config['out_channels']
    judge: dict[str, Any] = dict(type='PatchDiscriminator', in_channels=channels)
    if 'D' in found:
        judge, tensors = convert_patchgan(ledger.under(found['D']))
        state |= {f'discriminator.{name}': tensor for name, tensor in tensors.items()}
    model = dict(
        type='Pix2Pix',
        generator=generator.config,
        discriminator=judge,
        loss=dict(type='NonSaturatingGANLoss'),
        test_statistics='batch',
    )
    return Conversion(
        model=model,
        state=state,
        ledger=ledger,
        optim_wrapper=dict(generator=ADAM, discriminator=ADAM),
        batch_size=1,
        fresh=() if 'D' in found else ('discriminator',),
        notes=[
            'It translates by the statistics of each image, as its authors test, but without '
            'dropout, of which the file says nothing: set dropout=0.5 in generator to have it.'
        ],
    )
