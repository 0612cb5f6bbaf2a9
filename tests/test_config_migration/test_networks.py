import json
import re

import pytest
from safetensors import safe_open

from mmgan_lite.config_migration.networks import migrate_network
from mmgan_lite.config_migration.reading import Place, read_tables
from mmgan_lite.config_migration.section import Report, Section
from mmgan_lite.registry import MODELS, build_part


@pytest.fixture
def migrate(old):
    """Our settings of a network, and what was listed."""

    def run(code):
        path = old('config', f'model = {code}')
        table, _ = read_tables(path)
        section = Section(table['model'], 'generator', Place(path, 1), Report())
        settings = migrate_network(section)
        section.close()
        return settings, [f'{text}: {reason}' for _, text, reason in section.report.entries]

    return run


@pytest.mark.parametrize(
    'name', ['dcgan', 'sngan', 'sagan', 'biggan', 'pggan', 'pix2pix', 'cyclegan']
)
@pytest.mark.parametrize('kind', ['generator', 'discriminator'])
def test_networks_have_as_many_parameters_as_there(migrate, repo, name, kind):
    """By the arguments that the networks of MMagic in the goldens were built with."""
    path = repo.parent / 'shared' / 'reference' / 'goldens' / f'mmagic_{name}_{kind}.safetensors'
    if not path.is_file():
        pytest.skip('the networks of other projects are not in ../shared/reference/goldens')
    buffers = ('running_mean', 'running_var', 'tracked', 'weight_u', 'weight_v', 'u0', 'sv0')
    with safe_open(path, 'pt') as opened:
        metadata = opened.metadata()
        theirs = sum(
            opened.get_tensor(key).numel()
            for key in opened.keys()  # noqa: SIM118 - it has no iterator
            if key.startswith('state.') and not key.endswith(buffers)
        )
    there = dict(type=metadata['network']) | json.loads(metadata['constructor'])
    settings, listed = migrate(repr(there))
    network = build_part(MODELS, settings, 'network')
    found = sum(parameter.numel() for parameter in network.parameters())
    # PGGAN's discriminator there has a convolution that no image goes through.
    unused = 16 * 16 * 9 + 16 if (name, kind) == ('pggan', 'discriminator') else 0
    assert found == theirs - unused
    assert listed == []


@pytest.mark.parametrize(
    ('there', 'ours'),
    [
        ("'SAGANGenerator', output_scale=128, attention_after_nth_block=4, "
         'with_spectral_norm=True',
         dict(type='SAGANGenerator', channels=(1024, 1024, 512, 256, 128, 64), attention=(4,))),
        ("'ProjDiscriminator', input_scale=32, attention_after_nth_block=1",
         dict(type='SAGANDiscriminator', halvings=2, attention=(1,))),
        ("'ProjDiscriminator', input_scale=128, base_channels=64",
         dict(type='BigGANDiscriminator', channels=(64, 128, 256, 512, 1024, 1024), halvings=5)),
        ("'ProjDiscriminator', input_scale=16, channels_cfg={'16': [1]}, downsample_cfg=[False]",
         dict(type='ResNetDiscriminator', channels=(128, 128), halvings=1)),
        ("'SNGANGenerator', output_scale=16, channels_cfg=[2, 2]",
         dict(channels=(128, 128, 64), image_shape=(3, 16, 16))),
        ("'BigGANGenerator', output_scale=128, noise_size=121",
         dict(latent_dim=120, attention=(4,), channels=(1536, 1536, 768, 384, 192, 96))),
        ("'BigGANDiscriminator', input_scale=128, init_cfg=dict(type='N02')",
         dict(attention=(1,), halvings=5, initialization='normal')),
        ("'StyleGANv2Generator', out_size=256, style_channels=512, channel_multiplier=1, "
         'num_fp16_scales=4',
         dict(channel_base=16384, low_precision_levels=4, low_precision_dtype='float16')),
        ("'mmgen.StyleGAN2Discriminator', in_size=256, mbstd_cfg=dict(group_size=8)",
         dict(image_shape=(3, 256, 256), stddev_group_size=8)),
        ("'PGGANDiscriminator', in_scale=128", dict(last_conv=False, group_size=4)),
        ("'UnetGenerator', num_down=7, use_dropout=True", dict(levels=7, dropout=0.5)),
        ("'DCGANGenerator', output_scale=64", dict(base_channels=128, latent_dim=100)),
    ],
)  # fmt: skip
def test_settings(migrate, there, ours):
    settings, _ = migrate(f'dict(type={there})')
    assert {key: settings[key] for key in ours} == ours


def test_other_networks_in_their_place_are_listed(migrate):
    settings, listed = migrate("dict(type='WGANGPGenerator', noise_size=128, out_scale=128)")
    assert settings['type'] == 'ResNetGenerator'
    reason = 'ours is another network of this kind: ResNetGenerator'
    assert listed == [f"generator.type = 'WGANGPGenerator': {reason}"]
    settings, listed = migrate("dict(type='LSGANGenerator', output_scale=128, a=1)")
    assert listed[1] == 'generator.a = 1: ours has no such setting'


def test_what_cannot_be_migrated_is_named(migrate):
    with pytest.raises(ValueError, match=r"generator.type must be one of DCGAN.*'SRNet'"):
        migrate("dict(type='SRNet')")
    message = re.escape('generator.output_scale must be the side of an image in pixels, got None.')
    with pytest.raises(ValueError, match=message):
        migrate("dict(type='DCGANGenerator', output_scale=None)")
    message = 'generator must have images of 32, 64, 128 pixels, got 48. Set channels_cfg in the'
    with pytest.raises(ValueError, match=message):
        migrate("dict(type='SNGANGenerator', output_scale=48)")
