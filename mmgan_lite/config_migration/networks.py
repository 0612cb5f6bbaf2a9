"""Networks of old configs: for each type a function that gives the settings of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mmgan_lite.config_migration.section import Section

Network = dict[str, Any]

# Channels at each size from the start to that of the image, in parts of the base.
_SNGAN_CHANNELS = {32: [1, 1, 1, 1], 64: [16, 8, 4, 2, 1], 128: [16, 16, 8, 4, 2, 1]}
_BIGGAN_CHANNELS = {
    32: [4, 4, 4, 4],
    64: [16, 16, 8, 4, 2],
    128: [16, 16, 8, 4, 2, 1],
    256: [16, 16, 8, 8, 4, 2, 1],
    512: [16, 16, 8, 8, 4, 2, 1, 1],
}
_BIGGAN_ATTENTION = {32: (), 64: (4,), 128: (4,), 256: (4,), 512: (4,)}
# Channels of what each block gives, and how many halve the size.
_PROJECTION = {
    32: ([1, 1, 1, 1], 2),
    64: ([1, 2, 4, 8, 16], 5),
    128: ([1, 2, 4, 8, 16, 16], 5),
    256: ([1, 2, 4, 8, 8, 16, 16], 6),
}
_BIGGAN_BLOCKS = {
    32: ([4, 4, 4, 4], 2),
    64: ([1, 2, 4, 8, 16], 4),
    128: ([1, 2, 4, 8, 16, 16], 5),
    256: ([1, 2, 4, 8, 8, 16, 16], 6),
    512: ([1, 1, 2, 4, 8, 8, 16, 16], 7),
}
_BIGGAN_JUDGES = {32: (), 64: (), 128: (1,), 256: (2,), 512: (4,)}
_ANOTHER = 'ours is another network of this kind'
_INITIALIZATION = 'ours has one of its own'


def _side(section: Section, key: str, default: int | None = None) -> int:
    side = section.take(key, default)
    side = side[0] if isinstance(side, Sequence) else side
    if type(side) is not int:
        raise ValueError(
            f'{section.path}.{key} must be the side of an image in pixels, got {side!r}. Set it in '
            'the old config.'
        )
    return side


def _classes(section: Section) -> dict[str, Any]:
    return dict(num_classes=section.take('num_classes') or None)


def _norm(section: Section) -> str:
    found = section.take('norm_cfg', dict(type='BN'))
    return {'BN': 'batch', 'SyncBN': 'batch', 'IN': 'instance'}.get(found['type'], 'none')


def _scaled(parts: Sequence[float], base: int) -> tuple[int, ...]:
    return tuple(int(part * base) for part in parts)


def _dcgan_generator(section: Section) -> Network:
    side = _side(section, 'output_scale')
    start = _side(section, 'input_scale', 4)
    base = section.take('base_channels', 1024)
    halvings = max(0, (side // start).bit_length() - 2)
    return dict(
        type='DCGANGenerator',
        latent_dim=section.take('noise_size', 100),
        image_shape=(section.take('out_channels', 3), side, side),
        base_channels=max(1, base >> halvings),
    )


def _dcgan_discriminator(section: Section) -> Network:
    side = _side(section, 'input_scale')
    activation = section.take('default_act_cfg', {})
    section.ignore('output_scale', 'out_channels')
    return dict(
        type='DCGANDiscriminator',
        image_shape=(section.take('in_channels', 3), side, side),
        base_channels=section.take('base_channels', 128),
        norm=section.take('default_norm_cfg', dict(type='BN')) is not None,
        negative_slope=activation.get('negative_slope', 0.01),
    )


def _lsgan_generator(section: Section) -> Network:
    network = _dcgan_generator(section)
    section.list_('type', f'{_ANOTHER}: DCGANGenerator')
    return network


def _lsgan_discriminator(section: Section) -> Network:
    network = _dcgan_discriminator(section)
    section.list_('type', f'{_ANOTHER}: DCGANDiscriminator')
    return network


def _wgan_generator(section: Section) -> Network:
    side = _side(section, 'out_scale')
    section.list_('type', f'{_ANOTHER}: ResNetGenerator')
    return dict(
        type='ResNetGenerator',
        latent_dim=section.take('noise_size', 128),
        image_shape=(3, side, side),
        channels=_scaled(_SNGAN_CHANNELS.get(side, (1,) * (side // 4).bit_length()), 64),
    )


def _wgan_discriminator(section: Section) -> Network:
    side = _side(section, 'in_scale')
    section.list_('type', f'{_ANOTHER}: ResNetDiscriminator')
    widths, halvings = _PROJECTION.get(side, ([1] * 4, 2))
    return dict(
        type='ResNetDiscriminator',
        image_shape=(section.take('in_channel', 3), side, side),
        channels=_scaled(widths, 64),
        halvings=min(halvings, (side // 4).bit_length() - 1),
        spectral_norm=False,
    )


def _sngan_generator(section: Section) -> Network:
    side, spectral = _side(section, 'output_scale'), section.take('with_spectral_norm', False)
    attention = _attention(section)
    section.leave(_INITIALIZATION, 'init_cfg')
    if section.take('norm_eps', 1e-5) != 1e-5:
        section.list_('norm_eps', 'ours adds 1e-5 to the variance')
    section.ignore('auto_sync_bn', 'act_cfg', 'attention_cfg', 'sn_style', 'input_scale', 'style')
    section.leave('blocks are as in the papers', 'blocks_cfg')
    network = dict(
        type='SAGANGenerator' if spectral or attention else 'ResNetGenerator',
        latent_dim=section.take('noise_size', 128),
        image_shape=(section.take('out_channels', 3), side, side),
        channels=_scaled(_given_channels(section, side), section.take('base_channels', 64)),
        **_classes(section),
    )
    return network | (dict(attention=attention) if network['type'] == 'SAGANGenerator' else {})


def _given_channels(section: Section, side: int) -> Sequence[float]:
    given = section.take('channels_cfg')
    if isinstance(given, Mapping):
        given = given.get(str(side))
    # The last block gives the base channels there.
    return [*given, 1] if given else _known(section, _SNGAN_CHANNELS, side)


def _known(section: Section, table: Mapping[int, Any], side: int) -> Any:
    if side not in table:
        raise ValueError(
            f'{section.path} must have images of {", ".join(map(str, table))} pixels, got {side}. '
            'Set channels_cfg in the old config.'
        )
    return table[side]


def _attention(section: Section) -> tuple[int, ...]:
    place = section.take('attention_after_nth_block', 0)
    places = place if isinstance(place, Sequence) else [place]
    return tuple(place for place in places if place > 0)


def _projection_discriminator(section: Section) -> Network:
    side, spectral = _side(section, 'input_scale'), section.take('with_spectral_norm', True)
    base, attention = section.take('base_channels', 128), _attention(section)
    given, halved = section.take('channels_cfg'), section.take('downsample_cfg')
    given = given.get(str(side)) if isinstance(given, Mapping) else given
    halved = halved.get(str(side)) if isinstance(halved, Mapping) else halved
    widths, halvings = _PROJECTION.get(side, ([], 0))
    if given:
        # One that does not say which blocks halve the size has those of its size.
        halvings = halvings if len(given) + 1 == len(widths) else len(given) + 1
        widths = [1, *given]
    elif not widths:
        _known(section, _PROJECTION, side)
    halvings = 1 + sum(map(bool, halved)) if halved else halvings
    section.leave(_INITIALIZATION, 'init_cfg')
    section.leave('blocks are as in the papers', 'blocks_cfg', 'from_rgb_cfg')
    section.ignore('act_cfg', 'attention_cfg', 'sn_style', 'style', 'auto_sync_bn')
    common = dict(
        image_shape=(section.take('input_channels', 3), side, side),
        channels=_scaled(widths, base),
        halvings=halvings,
        **_classes(section),
    )
    if len(set(widths)) > 1:  # in their first convolution, as in BigGAN
        extra: Network = dict(attention=attention, spectral_norm=spectral)
        return dict(type='BigGANDiscriminator', **common, **extra)
    if attention:
        return dict(type='SAGANDiscriminator', **common, attention=attention)
    return dict(type='ResNetDiscriminator', **common, spectral_norm=spectral)


def _biggan_generator(section: Section) -> Network:
    side, base = _side(section, 'output_scale'), section.take('base_channels', 96)
    widths = _known(section, _BIGGAN_CHANNELS, side)
    split, latent_dim = section.take('split_noise', True), section.take('noise_size', 120)
    if split:
        latent_dim = latent_dim // len(widths) * len(widths)
    shared = section.take('with_shared_embedding', True)
    shared_dim = section.take('shared_dim', 128)
    section.leave('blocks are as in the paper', 'arch_cfg', 'blocks_cfg')
    section.ignore('sn_eps', 'sn_style', 'auto_sync_bn', 'act_cfg', 'input_scale', 'rgb2bgr')
    return dict(
        type='BigGANGenerator',
        latent_dim=latent_dim,
        image_shape=(section.take('out_channels', 3), side, side),
        channels=_scaled(widths, base),
        **_classes(section),
        shared_dim=shared_dim if shared else None,
        split_latents=split,
        attention=_BIGGAN_ATTENTION[side],
        spectral_norm=section.take('with_spectral_norm', True),
        **_initialization(section),
    )


def _initialization(section: Section) -> dict[str, Any]:
    kind = section.take('init_type') or section.take('init_cfg', {}).get('type', 'ortho')
    return dict(initialization='normal' if kind == 'N02' else 'orthogonal')


def _biggan_discriminator(section: Section) -> Network:
    side, base = _side(section, 'input_scale'), section.take('base_channels', 96)
    widths, halvings = _known(section, _BIGGAN_BLOCKS, side)
    section.leave('blocks are as in the paper', 'arch_cfg', 'blocks_cfg')
    section.ignore('sn_eps', 'sn_style', 'act_cfg')
    return dict(
        type='BigGANDiscriminator',
        image_shape=(section.take('in_channels', 3), side, side),
        channels=_scaled(widths, base),
        halvings=halvings,
        **_classes(section),
        attention=_BIGGAN_JUDGES[side],
        spectral_norm=section.take('with_spectral_norm', True),
        **_initialization(section),
    )


def _pggan_generator(section: Section) -> Network:
    side = _side(section, 'out_scale')
    return dict(
        type='PGGANGenerator',
        latent_dim=section.take('noise_size', 512),
        image_shape=(3, side, side),
        base_channels=section.take('base_channels', 8192),
        max_channels=section.take('max_channels', 512),
    )


def _pggan_discriminator(section: Section) -> Network:
    side = _side(section, 'in_scale')
    return dict(
        type='PGGANDiscriminator',
        image_shape=(section.take('in_channels', 3), side, side),
        base_channels=section.take('base_channels', 8192),
        max_channels=section.take('max_channels', 512),
        group_size=section.take('mbstd_cfg', {}).get('group_size', 4),
        last_conv=False,
    )


def _precision(section: Section) -> dict[str, Any]:
    section.leave('mixed precision is low_precision_levels here', 'fp16_enabled')
    levels = section.take('num_fp16_scales', 0)
    return dict(low_precision_levels=levels, low_precision_dtype='float16') if levels else {}


def _stylegan2_generator(section: Section) -> Network:
    side, width = _side(section, 'out_size'), section.take('style_channels', 512)
    section.ignore('bgr2rgb')
    return dict(
        type='StyleGAN2Generator',
        latent_dim=section.take('noise_size', width),
        image_shape=(section.take('out_channels', 3), side, side),
        style_dim=width,
        channel_base=16384 * section.take('channel_multiplier', 2),
        num_mapping_layers=section.take('num_mlps', 8),
        mapping_lr_multiplier=section.take('lr_mlp', 0.01),
        style_mixing=float(section.take('mix_prob', 0.9)),
        **_precision(section),
    )


def _stylegan2_discriminator(section: Section) -> Network:
    side, group = _side(section, 'in_size'), section.take('mbstd_cfg', {})
    section.ignore('bgr2rgb', 'input_bgr2rgb')
    return dict(
        type='StyleGAN2Discriminator',
        image_shape=(section.take('img_channels', 3), side, side),
        channel_base=16384 * section.take('channel_multiplier', 2),
        stddev_group_size=group.get('group_size', 4),
        stddev_channels=group.get('channel_groups', 1),
        **_precision(section),
    )


def _unet(section: Section) -> Network:
    section.ignore('init_cfg')  # N(0, 0.02^2), as ours
    return dict(
        type='UNetTranslator',
        in_channels=section.take('in_channels', 3),
        out_channels=section.take('out_channels', 3),
        levels=section.take('num_down', 8),
        base_channels=section.take('base_channels', 64),
        norm=_norm(section),
        dropout=0.5 if section.take('use_dropout', False) else 0.0,
    )


def _resnet(section: Section) -> Network:
    section.ignore('init_cfg')  # N(0, 0.02^2), as ours
    if section.take('padding_mode', 'reflect') != 'reflect':
        section.list_('padding_mode', 'ours reflects the image beyond its edges')
    if section.take('use_dropout', False):
        section.list_('use_dropout', 'ours has no dropout')
    return dict(
        type='ResNetTranslator',
        in_channels=section.take('in_channels', 3),
        out_channels=section.take('out_channels', 3),
        base_channels=section.take('base_channels', 64),
        num_blocks=section.take('num_blocks', 9),
        norm=_norm(section),
    )


def _patch(section: Section) -> Network:
    section.ignore('init_cfg')  # N(0, 0.02^2), as ours
    return dict(
        type='PatchDiscriminator',
        in_channels=section.take('in_channels', 3),
        base_channels=section.take('base_channels', 64),
        num_layers=section.take('num_conv', 3),
        norm=_norm(section),
    )


_NETWORKS: dict[str, Callable[[Section], Network]] = dict(
    DCGANGenerator=_dcgan_generator,
    DCGANDiscriminator=_dcgan_discriminator,
    LSGANGenerator=_lsgan_generator,
    LSGANDiscriminator=_lsgan_discriminator,
    WGANGPGenerator=_wgan_generator,
    WGANGPDiscriminator=_wgan_discriminator,
    SNGANGenerator=_sngan_generator,
    SAGANGenerator=_sngan_generator,
    ProjDiscriminator=_projection_discriminator,
    SNGANDiscriminator=_projection_discriminator,
    BigGANGenerator=_biggan_generator,
    BigGANDiscriminator=_biggan_discriminator,
    PGGANGenerator=_pggan_generator,
    PGGANDiscriminator=_pggan_discriminator,
    StyleGANv2Generator=_stylegan2_generator,
    StyleGAN2Generator=_stylegan2_generator,
    StyleGANv2Discriminator=_stylegan2_discriminator,
    StyleGAN2Discriminator=_stylegan2_discriminator,
    ADAStyleGAN2Discriminator=_stylegan2_discriminator,
    UnetGenerator=_unet,
    ResnetGenerator=_resnet,
    PatchDiscriminator=_patch,
)


def migrate_network(section: Section) -> Network:
    """The settings of our network of an old one.

    Raises:
        ValueError: If there is none of this type, or its size is not set.
    """
    kind = str(section.take('type', '')).rpartition('.')[2]
    if kind not in _NETWORKS:
        raise ValueError(
            f'{section.path}.type must be one of {", ".join(_NETWORKS)} to be migrated, got '
            f'{kind!r}. mmgan-lite list generators shows what there is in its place.'
        )
    return _NETWORKS[kind](section)
