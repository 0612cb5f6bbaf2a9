"""Networks that are built from old settings have the old numbers of parameters."""

import pytest
import torch

from mmgan_lite.config_migration import migrate_config
from mmgan_lite.registry import MODELS


@pytest.mark.parametrize(
    ('name', 'generator', 'discriminator'),
    [('pix2pix', 54_413_955, 2_768_705), ('cyclegan', 11_378_179, 2_764_737)],  # as published
)
def test_published_numbers_of_parameters(old, name, generator, discriminator):
    model = migrate_config(old(name)).config['model']
    for network, count in (('generator', generator), ('discriminator', discriminator)):
        with torch.device('meta'):
            parameters = MODELS.build(model[network]).parameters()
        assert sum(p.numel() for p in parameters) == count


def test_base_channels_of_dcgan(old):
    # The old count is that of the first layer, 1024 of 4 x 4; ours is that of the last, 64 x 64.
    assert migrate_config(old('dcgan')).config['model']['generator']['base_channels'] == 128
