import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from mmgan_lite.checkpoints.foreign import Ledger, mm_stylegan2, stylegan2_ada
from mmgan_lite.checkpoints.foreign.snapshots import drop_filters, transposed
from mmgan_lite.models import (
    GAN,
    ExponentialMovingAverage,
    R1Regularizer,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
)
from mmgan_lite.models.layers import FilteredDownsample
from mmgan_lite.models.losses.path_length import path_lengths
from mmgan_lite.models.styles import mix_styles


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


AUTO = dict(channel_base=16384)
CIFAR = dict(generator=dict(num_mapping_layers=2), discriminator=dict(architecture='orig'))
# Sides, arguments of both, of the generator and of the discriminator; the published counts.
PRESETS = {
    'stylegan2-1024': (1024, {}, {}, {}, 30_370_060, 29_012_513),
    'stylegan2-512': (512, {}, {}, {}, 30_276_583, 28_982_849),
    'stylegan2-256': (256, {}, {}, {}, 30_034_338, 28_864_129),
    'paper256': (256, AUTO, {}, {}, 24_767_458, 24_001_089),
    'auto-128': (128, AUTO, dict(num_mapping_layers=2), {}, 22_949_277, 23_882_369),
    'auto-64': (64, AUTO, dict(num_mapping_layers=2), {}, 22_243_608, 23_407_361),
    'cifar': (32, {}, *CIFAR.values(), 19_947_539, 20_720_641),
    'cifar-labels': (32, dict(num_classes=10), *CIFAR.values(), 20_215_315, 23_089_664),
}


@pytest.mark.parametrize('preset', PRESETS)
def test_parameter_counts_of_the_papers(preset):
    side, both, generator, discriminator, *counts = PRESETS[preset]
    shape = (3, side, side)
    with torch.device('meta'):
        built = StyleGAN2Generator(image_shape=shape, **both, **generator)
        assert count(built) == counts[0]
        assert count(StyleGAN2Discriminator(shape, **both, **discriminator)) == counts[1]


def load_golden(repo, file, names, build):
    """A network with the weights of the authors' code, and its inputs and outputs there."""
    path = repo / 'tests' / 'goldens' / f'{file}.safetensors'
    with safe_open(path, 'pt') as opened:
        network = build(json.loads(opened.metadata()['constructor']))
    tensors = load_file(path)
    state = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith('state.')}
    ledger = Ledger(state, file)
    drop_filters(ledger, 'resample_filter')
    ours = ledger.take_renamed(names)
    for name in network.state_dict().keys() - ours:
        assert name.endswith('embedding.weight')
        ours[name] = transposed(ledger, 'mapping.embed.weight')
    ledger.close()
    network.load_state_dict(ours)
    return network, {name[3:]: t for name, t in tensors.items() if name.startswith('io.')}


def assert_like_golden(found, expected):
    """To 1e-4 of the standard deviation: float32 in another order of summation."""
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * expected.std().item())


def common_settings(there):
    side = there['img_resolution']
    return dict(image_shape=(there['img_channels'], side, side), num_classes=there['c_dim'] or None)


def ada_generator_of(there):
    return StyleGAN2Generator(
        latent_dim=there['z_dim'],
        style_dim=there['w_dim'],
        num_mapping_layers=there['mapping_kwargs']['num_layers'],
        channel_base=there['synthesis_kwargs']['channel_base'],
        channel_max=there['synthesis_kwargs']['channel_max'],
        **common_settings(there),
    ).eval()


def ada_discriminator_of(there):
    return StyleGAN2Discriminator(
        architecture=there['architecture'],
        channel_base=there['channel_base'],
        channel_max=there['channel_max'],
        stddev_group_size=there['epilogue_kwargs']['mbstd_group_size'],
        **common_settings(there),
    )


@pytest.fixture(params=['uncond', 'cond'])
def ada_generator(request, repo):
    file = f'stylegan2_ada_generator_{request.param}'
    return load_golden(repo, file, stylegan2_ada.GENERATOR, ada_generator_of)


@torch.no_grad()
@pytest.mark.parametrize('grouped', [True, False])
def test_generator_computes_what_the_authors_do(ada_generator, grouped):
    """In both forms of the modulated convolution."""
    network, io = ada_generator
    network.synthesis_network.grouped = grouped
    ws = network.mapping(io['latents'], io.get('labels'))
    assert_like_golden(ws, io['ws'])
    assert_like_golden(network(io['latents'], io.get('labels')), io['images'])
    assert_like_golden(network.synthesis(ws[:2], noise='none'), io['images_no_noise'])
    near = network.truncate(ws, 0.7)
    assert_like_golden(near, io['ws_psi_0_7'])
    assert_like_golden(network.synthesis(near[:2]), io['images_psi_0_7'])
    near = network.truncate(ws[:2], 0.5, cutoff=3)
    assert_like_golden(network.synthesis(near), io['images_psi_0_5_cutoff_3'])
    mixed = mix_styles(ws, ws.roll(1, 0), layer=3)[:2]
    assert_like_golden(network.synthesis(mixed), io['images_mixed_from_3'])


def test_mean_style_is_that_of_the_authors_after_a_batch(ada_generator):
    network, io = ada_generator
    network.train().mapping(io['latents'], io.get('labels'))
    assert_like_golden(network.mapping_network.w_avg, io['w_avg_after_update'])


def test_path_lengths_are_those_of_the_authors(ada_generator):
    network, io = ada_generator
    ws = network.mapping(io['latents'], io.get('labels')).detach().requires_grad_()
    lengths = path_lengths(network.synthesis(ws), ws, io['path_length_noise'])
    assert_like_golden(lengths, io['path_lengths'])


@pytest.mark.parametrize('kind', ['uncond', 'cond', 'orig'])
def test_discriminator_computes_what_the_authors_do(repo, kind):
    """Logits, and R1 of each image: its squared slope, without gamma / 2."""
    file = f'stylegan2_ada_discriminator_{kind}'
    network, io = load_golden(repo, file, stylegan2_ada.DISCRIMINATOR, ada_discriminator_of)
    images, labels = io['images'].requires_grad_(), io.get('labels')
    logits = network(images, labels)
    assert_like_golden(logits, io['logits'][:, 0])
    (slopes,) = torch.autograd.grad(logits.sum(), images)
    assert_like_golden(slopes.square().sum((1, 2, 3)), io['r1_penalty'])
    penalty = R1Regularizer(weight=2.0)(network, images, images, labels)
    torch.testing.assert_close(penalty, io['r1_penalty'].mean(), rtol=1e-4, atol=0)
    # A batch that is smaller than the group of the standard deviation.
    two = network(images[:2], None if labels is None else labels[:2])
    assert_like_golden(two, io['logits_batch_of_2'][:, 0])


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_stylegan2_generator')
    network, io = golden.converted(mm_stylegan2.generator), golden.io
    ws = network.mapping(io['latents'])
    golden.check(ws[:, 0], 'ws')
    golden.check(network.synthesis(ws), 'images')
    mean = network.mapping_network.w_avg
    others = network.mapping(torch.randn(4096, 32))[:, 0]
    assert ((mean - others.mean(0)).abs() < 5 * (2 / 4096) ** 0.5 * others.std(0)).all()
    mean.copy_(io['truncation_latent'][0])
    golden.check(network.synthesis(network.truncate(ws, 0.7)), 'images_psi_0_7')
    mixed = mix_styles(ws, ws.roll(1, 0), layer=3)
    golden.check(network.synthesis(mixed), 'images_mixed_from_3')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_stylegan2_discriminator')
    network = golden.converted(mm_stylegan2.discriminator, (3, 32, 32))
    golden.check(network(golden.io['images']), 'logits')


def small(**settings):
    settings = dict(image_shape=(3, 16, 16), style_dim=6, channel_max=8) | settings
    return StyleGAN2Generator(5, num_mapping_layers=1, **settings)


@torch.no_grad()
def test_skip_discriminator_takes_the_image_in_at_each_size():
    network = StyleGAN2Discriminator((3, 8, 8), channel_max=8, architecture='skip')
    images = torch.randn(4, 3, 8, 8)

    def taken_in(side, images):
        layer = network.from_image[side]
        out = torch.einsum('oi,nihw->nohw', layer.weight[:, :, 0, 0] / 3**0.5, images)
        return 2**0.5 * torch.nn.functional.leaky_relu(out, 0.2)

    features = network.blocks['8'](taken_in('8', images))
    features = features + taken_in('4', FilteredDownsample()(images))
    seen = []
    network.stddev.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    network(images)
    torch.testing.assert_close(seen[0], features)


@pytest.mark.parametrize('architecture', ['skip', 'resnet', 'orig'])
@pytest.mark.parametrize('side', [4, 16])
@pytest.mark.parametrize('low', ['bfloat16', 'float16'])
def test_lower_precision_is_near_float32(architecture, side, low):
    """In the two largest sizes, or all; images, logits and gradients are float32."""
    shape, levels = (2, side, side), min(2, side // 4)
    settings = dict(architecture=architecture, channel_max=8, image_shape=shape)
    settings |= dict(low_precision_levels=levels, low_precision_dtype=low)
    generator = StyleGAN2Generator(5, style_dim=6, **settings).eval()
    discriminator = StyleGAN2Discriminator(**settings)
    assert generator.synthesis_network.blocks['4'].conv1.clamp == 256
    settings['low_precision_levels'] = 0
    references = StyleGAN2Generator(5, style_dim=6, **settings), StyleGAN2Discriminator(**settings)
    dtypes = []
    discriminator.conv.register_forward_pre_hook(lambda m, args: dtypes.append(args[0].dtype))
    if side > 4:
        blocks = generator.synthesis_network.blocks, discriminator.blocks
        for block in (blocks[0]['16'].conv1, blocks[0]['4'].conv1, blocks[1]['16'].conv0):
            block.register_forward_hook(lambda m, args, out: dtypes.append(out.dtype))
    latents = torch.randn(4, 5)
    images = generator(latents)
    logits = discriminator(images)
    assert images.dtype == logits.dtype == torch.float32
    lower = getattr(torch, low)
    full = torch.float32
    assert dtypes == ([full, lower, lower, full] if side > 4 else [full])
    logits.sum().backward()
    assert all(p.grad is None or p.grad.dtype == full for p in generator.parameters())
    for network, reference in zip((generator, discriminator), references, strict=True):
        reference.load_state_dict(network.state_dict())
    expected = references[0].eval()(latents)
    torch.testing.assert_close(images, expected, atol=0.15 * expected.std().item(), rtol=0)
    torch.testing.assert_close(logits, references[1](expected), atol=0.1, rtol=0.1)


def test_features_are_clamped():
    network = small(clamp=0.5).eval()
    seen = []
    for block in network.synthesis_network.blocks.values():
        block.conv1.register_forward_hook(lambda m, args, out: seen.append(out.abs().max().item()))
    network(torch.randn(4, 5))
    assert seen == [0.5] * 3


def test_mean_style_is_tracked_by_both_passes_of_training():
    network = small()
    network(torch.randn(4, 5)).sum().backward()
    assert network.mapping_network.w_avg.any()
    before = network.mapping_network.w_avg.clone()
    network.eval()(torch.randn(4, 5))
    assert torch.equal(network.mapping_network.w_avg, before)


@pytest.mark.parametrize('network', [StyleGAN2Generator, StyleGAN2Discriminator])
@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(image_shape=(1, 28, 28)), r'two equal sides of 4, 8, 16, 32, \.\.\. pixels, a power'),
        (dict(image_shape=(1, 32, 64)), r'got \(1, 32, 64\). Pass image_shape=\(1, 32, 32\)'),
        (dict(image_shape=(1, 2, 2)), r'two equal sides of 4'),
        (dict(channel_base=128), r'channel_base must be an int of at least 256, got 128'),
        (dict(channel_max=0), r'channel_max must be an int of at least 1'),
        (dict(num_mapping_layers=0), r'num_mapping_layers must be an int of at least 1'),
        (dict(architecture='skips'), r"architecture must be one of .* Did you mean 'skip'\?"),
        (dict(low_precision_levels=8), r'at most the 7 sizes of a network for 256x256 pixels, got'),
        (dict(low_precision_dtype='half'), r"low_precision_dtype must be one of 'bfloat16', 'fl"),
        (dict(clamp=0.0), r'clamp must be a finite number over 0, got 0.0'),
    ],
)
def test_bad_arguments_are_named(network, settings, message):
    with pytest.raises(ValueError, match=message):
        network(**settings)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(style_dim=0), r'style_dim must be an int of at least 1, got 0'),
        (dict(latent_dim=0), r'latent_dim must be an int of at least 1, got 0'),
        (dict(style_mixing=1.5), r'style_mixing must be a number in \[0, 1\], got 1.5'),
        (dict(average_decay=-1), r'average_decay must be a number in \[0, 1\], got -1'),
        (dict(noise='constant'), r"noise must be one of .* Did you mean 'const'\?"),
        (dict(mapping_lr_multiplier=0), r'mapping_lr_multiplier must be a finite number over 0'),
    ],
)
def test_bad_arguments_of_the_generator_are_named(settings, message):
    with pytest.raises(ValueError, match=message), torch.device('meta'):
        StyleGAN2Generator(**settings)


def test_mistakes_with_styles_are_named():
    network = small()
    for cutoff in (7, -1):
        with pytest.raises(ValueError, match=rf'cutoff must lie in \[0, 6\], .*, got {cutoff}\.'):
            network.truncate(torch.zeros(1, 6, 6), 0.5, cutoff)
    for shape in ((2, 5, 6), (2, 6)):
        with pytest.raises(ValueError, match=r'ws must be of shape .* num_ws=6, got \(2, '):
            network.synthesis(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"noise must be one of 'random', 'const', 'none'"):
        network.synthesis(torch.zeros(2, 6, 6), noise='fixed')


def test_stddev_channels_must_divide():
    with pytest.raises(ValueError, match=r'stddev_channels must divide the 8 channels at 4x4, got'):
        StyleGAN2Discriminator((1, 8, 8), channel_max=8, stddev_channels=3)


def test_training_step_asks_the_device_for_no_number(make_batch, make_optim_wrapper):
    """On the meta device there are no numbers: whoever asks for one fails."""
    common = dict(image_shape=(1, 8, 8), channel_max=4, num_classes=3, num_mapping_layers=1)
    gan = GAN(
        generator=dict(type='StyleGAN2Generator', latent_dim=4, style_dim=4, **common),
        discriminator=dict(type='StyleGAN2Discriminator', **common),
        loss=dict(type='NonSaturatingGANLoss'),
        regularizers=[
            dict(type='R1Regularizer', interval=16),
            dict(type='PathLengthRegularizer', interval=4),
        ],
        augmentation=dict(type='AdaptiveAugment'),
        ema=dict(type='HalfLifeMovingAverage', half_life=100, images_per_update=4),
    ).to('meta')
    log = gan.train_step(make_batch(4, (1, 8, 8), [0, 1, 2, 0]), make_optim_wrapper(gan))
    assert {'loss_r1', 'loss_path_length'} <= log.keys()
    assert all(value.is_meta for value in log.values())


@pytest.mark.parametrize('network', [StyleGAN2Generator, StyleGAN2Discriminator])
def test_compiles_to_one_graph(network):
    """Traced by torch.compile without a break, in training and in eval mode."""
    built = network(image_shape=(1, 8, 8), channel_max=4, num_mapping_layers=1)
    compiled = torch.compile(built, backend='eager', fullgraph=True)
    inputs = torch.randn(4, 512) if network is StyleGAN2Generator else torch.randn(4, 1, 8, 8)
    compiled(inputs).sum().backward()
    built.eval()
    torch.testing.assert_close(compiled(inputs), built(inputs))


def test_average_has_the_mean_style_and_noise():
    network = small()
    average = ExponentialMovingAverage(network, momentum=0.5)
    network(torch.randn(4, 5))
    average.update_parameters(network)
    for name, buffer in network.named_buffers():
        assert torch.equal(buffer, average.module.get_buffer(name)), name
    assert average.module.mapping_network.w_avg.any()
