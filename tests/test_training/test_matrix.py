"""Every objective with every discriminator and penalty: three finite steps each."""

import pytest
import torch

from mmgan_lite.models import GAN, AdversarialLoss, losses
from mmgan_lite.registry import MODELS

SHAPE = (1, 8, 8)
OBJECTIVES = sorted(
    name
    for name, part in vars(losses).items()
    if isinstance(part, type) and issubclass(part, AdversarialLoss) and part is not AdversarialLoss
)
# Small, and where it can be without batch norm, which a penalty on single images does not go with.
DISCRIMINATORS = dict(
    MLPDiscriminator=dict(hidden_dims=(8,)),
    DCGANDiscriminator=dict(base_channels=4, norm=False),
    FastGANDiscriminator=dict(base_channels=1),
    ResNetDiscriminator=dict(channels=(4, 4), halvings=1),
    R3GANDiscriminator=dict(channels=4, blocks_per_stage=1, cardinality=1),
    ResizeConvDiscriminator=dict(channels=(4, 4)),
    SAGANDiscriminator=dict(channels=(4, 4), halvings=1),
    BigGANDiscriminator=dict(channels=(4, 4), halvings=1, attention=()),
    BigGANDeepDiscriminator=dict(channels=(4, 4), halvings=1),
    PGGANDiscriminator=dict(base_channels=16, max_channels=4),
    StyleGAN2Discriminator=dict(channel_max=4, num_mapping_layers=1),
    PatchDiscriminator=dict(in_channels=1, base_channels=4, num_layers=1, norm='none'),
    MultiScaleDiscriminator=dict(in_channels=1, base_channels=4, num_layers=0, norm='none'),
)
ANY_SIZE = {'PatchDiscriminator', 'MultiScaleDiscriminator'}
NO_LABELS = {'FastGANDiscriminator', 'PGGANDiscriminator', *ANY_SIZE}
# Of a network that grows the layer of smaller images, which do not occur here; decoders.
IDLE = ('discriminator.from_image.0', 'discriminator.decoders')
PENALTIES = [None, 'R1Regularizer', 'GradientPenalty']


def test_matrix_is_whole():
    assert len(OBJECTIVES) == 7
    ours = {name for name, part in MODELS.module_dict.items() if 'mmgan_lite' in part.__module__}
    assert set(DISCRIMINATORS) == {name for name in ours if name.endswith('Discriminator')}


@pytest.mark.parametrize('penalty', PENALTIES)
@pytest.mark.parametrize('discriminator', DISCRIMINATORS)
@pytest.mark.parametrize('objective', OBJECTIVES)
@pytest.mark.parametrize('num_classes', [None, 3])
def test_trains(objective, discriminator, penalty, num_classes, make_batch, make_optim_wrapper):
    if discriminator in NO_LABELS and num_classes:
        pytest.skip('takes no labels')
    gan = GAN(
        generator=dict(
            type='MLPGenerator',
            latent_dim=4,
            image_shape=SHAPE,
            hidden_dims=(8,),
            num_classes=num_classes,
        ),
        discriminator=dict(
            type=discriminator,
            **({} if discriminator in ANY_SIZE else dict(image_shape=SHAPE)),
            **({} if num_classes is None else dict(num_classes=num_classes)),
            **DISCRIMINATORS[discriminator],
        ),
        loss=dict(type=objective),
        regularizers=[] if penalty is None else [dict(type=penalty)],
    )
    before = {name: value.clone() for name, value in gan.state_dict().items()}
    adam = dict(optimizer=dict(type='Adam', lr=1e-3))
    wrappers = make_optim_wrapper(gan, generator=adam, discriminator=adam)
    labels = None if num_classes is None else [0, 1, 2, 1]
    for _ in range(3):
        log = gan.train_step(make_batch(shape=SHAPE, labels=labels), wrappers)
        assert all(torch.isfinite(value) for value in log.values()), log
    for name, value in gan.state_dict().items():
        assert torch.isfinite(value).all(), name
    for name, parameter in gan.named_parameters():
        # Differences of logits leave the last bias where it is.
        stays = parameter.ndim == 1 or name.startswith(IDLE)
        assert stays or not torch.equal(parameter, before[name]), name
