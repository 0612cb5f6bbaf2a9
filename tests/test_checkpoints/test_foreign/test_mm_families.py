import pytest

from mmgan_lite.checkpoints.foreign.mm_families import find_family


@pytest.mark.parametrize(
    ('network', 'family'),
    [
        ('dcgan', 'DCGAN'),
        ('sngan', 'SNGAN or SAGAN'),
        ('sagan', 'SNGAN or SAGAN'),
        ('biggan', 'BigGAN'),
        ('pggan', 'PGGAN'),
        ('stylegan2', 'StyleGAN2'),
        ('pix2pix', 'U-Net'),
        ('cyclegan', 'ResNet'),
    ],
)
def test_each_network_is_told_by_its_tensors(state_of, network, family):
    assert find_family(state_of(f'mmagic_{network}_generator')).name == family


def test_others_are_none():
    assert find_family(['mapping.0.weight', 'synthesis.conv.weight']) is None
    assert find_family([]) is None
