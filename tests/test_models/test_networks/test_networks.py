"""What every generator and discriminator of images of one shape promises.

Networks of images of any size are in test_translators.py.
"""

import copy
import math

import pytest
import torch

from mmgan_lite import list_components
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS

SHAPE = (2, 16, 20)  # no two alike, so that none is taken for another
SQUARE = (2, 16, 16)  # for networks of images of equal sides, powers of two
# Arguments that keep each network tiny, and the ways of its labels, if it takes any: a new network
# is added here.
GENERATORS = dict(
    BigGANDeepGenerator=(dict(channels=16, shared_dim=4, attention=1), [None]),
    BigGANGenerator=(dict(channels=6, shared_dim=4, attention=1, latent_dim=60), [None]),
    DCGANGenerator=(dict(base_channels=4), [None]),
    FastGANGenerator=(dict(base_channels=2), []),
    MLPGenerator=(dict(hidden_dims=(8, 8)), [None]),
    PGGANGenerator=(dict(base_channels=32, max_channels=8), []),
    R3GANGenerator=(dict(channels=8, cardinality=4, blocks_per_stage=1), [None]),
    ResNetGenerator=(dict(channels=6), ['class_norm', 'embedding']),
    ResizeConvGenerator=(dict(channels=(8, 6, 4)), [None]),
    SAGANGenerator=(dict(channels=6), [None]),
    StyleGAN2Generator=(dict(style_dim=6, channel_max=6, num_mapping_layers=2), [None]),
)
DISCRIMINATORS = dict(
    BigGANDeepDiscriminator=(dict(channels=(8, 16, 16), attention=1), [None]),
    BigGANDiscriminator=(dict(channels=(6, 5, 4), attention=1), [None]),
    DCGANDiscriminator=(dict(base_channels=4), ['embedding', 'projection', 'classifier']),
    FastGANDiscriminator=(dict(base_channels=2), []),
    MLPDiscriminator=(dict(hidden_dims=(8, 8)), [None]),
    PGGANDiscriminator=(dict(base_channels=32, max_channels=8), []),
    R3GANDiscriminator=(dict(channels=8, cardinality=4, blocks_per_stage=1), [None]),
    ResNetDiscriminator=(dict(channels=(6, 5, 4)), ['projection', 'embedding', 'classifier']),
    ResizeConvDiscriminator=(dict(channels=(4, 6, 8)), [None]),
    SAGANDiscriminator=(dict(channels=(6, 5, 4)), [None]),
    StyleGAN2Discriminator=(dict(channel_max=6, num_mapping_layers=2), [None]),
)
UNBOUNDED = {'PGGANGenerator', 'R3GANGenerator', 'StyleGAN2Generator'}
LOOKS_AT_THE_BATCH = {
    'PGGANDiscriminator',
    'ResizeConvDiscriminator',
    'StyleGAN2Discriminator',
}
POWERS_OF_TWO = {'StyleGAN2Generator', 'StyleGAN2Discriminator'}
# Layers of a growing network that images of its last size have no use for, and those that
# reconstruct images.
IDLE = ('to_image.0', 'to_image.1', 'from_image.0', 'from_image.1', 'decoders')
# Several logits an image, of patches.
MAPS = {'FastGANDiscriminator'}
ANY_SIZE = {'MLPGenerator', 'MLPDiscriminator'}


def logits_shape(cfg, logits, num=2):
    """One an image, or as many as there are."""
    return (num, logits.shape[-1]) if cfg['type'] in MAPS else (num,)


def shape_of(name):
    return SQUARE if name in POWERS_OF_TWO else SHAPE


def cases(networks, conditional=True):
    """Configs of the networks without labels, and with them in each way."""
    found = []
    for name, (small, ways) in networks.items():
        cfg = dict(type=name, image_shape=shape_of(name), **small)
        if networks is GENERATORS:
            cfg.setdefault('latent_dim', 5)
        found.append(pytest.param(cfg, id=name))
        for way in ways if conditional else []:
            labels = dict(num_classes=3) if way is None else dict(num_classes=3, conditioning=way)
            found.append(pytest.param({**cfg, **labels}, id=f'{name}-{way or "labels"}'))
    return found


def built(cfg):
    """The network in eval mode, with no weight left at 0 or 1 that training would move."""
    network = MODELS.build(dict(cfg)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def inputs(cfg, num=6):
    latent_dim = cfg.get('latent_dim')
    first = torch.rand(num, *cfg['image_shape']) * 2 - 1
    if latent_dim:
        first = torch.randn(num, latent_dim)
    return first, torch.arange(num) % 3 if 'num_classes' in cfg else None


def looks_at_labels(cfg):
    return 'num_classes' in cfg and cfg.get('conditioning') != 'classifier'


def idle(name):
    return name.startswith(IDLE) or 'classifier' in name


ALL = cases(GENERATORS) + cases(DISCRIMINATORS)
CONDITIONAL = [case for case in ALL if 'num_classes' in case.values[0]]


@pytest.mark.parametrize('kind', ['generators', 'discriminators'])
def test_all_are_tested_here(kind):
    tested = GENERATORS if kind == 'generators' else DISCRIMINATORS
    found = {c.name for c in list_components(kind) if 'image_shape' in c.signature}
    assert found == set(tested)


@pytest.mark.parametrize('cfg', cases(GENERATORS))
def test_generator_shape_and_range(cfg):
    generator = MODELS.build(dict(cfg))
    latents, labels = inputs(cfg)
    images = generator(100 * latents, labels)
    assert images.shape == (6, *cfg['image_shape'])
    assert images.dtype == torch.float32
    if cfg['type'] not in UNBOUNDED:
        assert images.abs().max() <= 1
    told = (generator.latent_dim, generator.image_shape, generator.num_classes)
    assert told == (cfg['latent_dim'], cfg['image_shape'], cfg.get('num_classes'))


@pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))
def test_raw_logits_of_each_image(cfg):
    discriminator = built(cfg)
    images, labels = inputs(cfg)
    logits = discriminator(1e4 * images, labels)
    assert logits.shape == logits_shape(cfg, logits, 6)
    # A sigmoid anywhere would hold this below 1.
    assert logits.abs().max() > 1
    told = (discriminator.image_shape, discriminator.num_classes)
    assert told == (cfg['image_shape'], cfg.get('num_classes'))


@pytest.mark.parametrize('cfg', ALL)
def test_every_parameter_gets_a_gradient(cfg):
    network = built(cfg)
    first, labels = inputs(cfg)
    if getattr(network, 'has_classifier', False):
        logits, class_logits = network(first, return_classes=True)
        (logits.square().sum() + class_logits.square().sum()).backward()
    else:
        network(first, labels).square().sum().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # The noise of FastGAN has a part in training mode only.
    assert [n for n in without if not n.startswith(IDLE) and not n.endswith('.strength')] == []


@pytest.mark.parametrize('cfg', CONDITIONAL)
def test_label_changes_the_output_where_it_should(cfg):
    network = built(cfg)
    first, _ = inputs(cfg, 1)
    outputs = [network(first, torch.tensor([label])) for label in range(3)]
    for one, other in ((0, 1), (1, 2), (2, 0)):
        difference = (outputs[one] - outputs[other]).abs().max()
        assert difference > 1e-5 if looks_at_labels(cfg) else difference == 0


@pytest.mark.parametrize('cfg', ALL)
def test_eval_output_does_not_depend_on_batch_mates(cfg):
    network = built(cfg)
    first, labels = inputs(cfg)
    alone = network(first[:1], None if labels is None else labels[:1])
    together = network(first, labels)[:1]
    if cfg['type'] in LOOKS_AT_THE_BATCH:
        assert (alone - together).abs().max() > 1e-4
    else:
        torch.testing.assert_close(together, alone, atol=5e-5, rtol=1e-4)


TELLS_ONE_PASS = [
    case
    for case in cases(DISCRIMINATORS)
    if getattr(MODELS.get(case.values[0]['type']), 'one_pass', False)
]


@pytest.mark.parametrize('cfg', TELLS_ONE_PASS)
def test_one_pass_is_told_where_no_batch_mate_matters_in_training(cfg):
    network = built(cfg).train()
    first, labels = inputs(cfg)
    alone = network(first[:2], None if labels is None else labels[:2])
    torch.testing.assert_close(network(first, labels)[:2], alone)


@pytest.mark.parametrize('cfg', ALL)
def test_channels_last_gives_the_same(cfg):
    network = built(cfg)
    first, labels = inputs(cfg)
    expected = network(first, labels)
    network.to(memory_format=torch.channels_last)
    if first.dim() == 4:
        first = first.to(memory_format=torch.channels_last)
    torch.testing.assert_close(network(first, labels), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))
def test_gradients_of_activations_lie_as_these_do(cfg):
    """Where they lie differently, the backward pass of an activation takes 20 times as long."""
    network = built(cfg).to(memory_format=torch.channels_last).train()
    first, labels = inputs(cfg)
    pairs = []

    def watch(module, _, output):
        output.register_hook(lambda gradient: pairs.append((gradient.stride(), output.stride())))

    for module in network.modules():
        if isinstance(module, torch.nn.LeakyReLU):
            module.register_forward_hook(watch)
    network(first.to(memory_format=torch.channels_last), labels).sum().backward()
    assert all(gradient == features for gradient, features in pairs)


@pytest.mark.parametrize('cfg', ALL)
def test_trains_in_bfloat16(cfg):
    network = built(cfg).train()
    first, labels = inputs(cfg)
    with torch.autocast('cpu', torch.bfloat16):
        out = network(first, labels)
    out.float().square().mean().backward()
    assert out.isfinite().all()
    grads = {n: p.grad for n, p in network.named_parameters() if not idle(n)}
    assert [n for n, grad in grads.items() if grad is None or not grad.isfinite().all()] == []


@pytest.mark.parametrize('cfg', ALL)
def test_state_loads_into_a_new_one(cfg):
    network = built(cfg)
    fresh = MODELS.build(dict(cfg)).eval()
    fresh.load_state_dict(network.state_dict())
    first, labels = inputs(cfg)
    expected = network(first, labels)
    torch.testing.assert_close(fresh(first, labels), expected)
    torch.testing.assert_close(copy.deepcopy(network)(first, labels), expected)


@pytest.mark.parametrize('cfg', ALL)
def test_mistaken_labels_are_named(cfg):
    network = MODELS.build(dict(cfg))
    first, labels = inputs(cfg, 2)
    if labels is None:
        with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
            network(first, torch.tensor([0, 1]))
    elif looks_at_labels(cfg):
        with pytest.raises(ValueError, match=r'labels must be given to a network with num_clas'):
            network(first)
        for wrong in ([0, 3], [-1, 0]):
            message = rf'labels must lie in \[0, 3\), got {wrong[0]} to {wrong[1]}\.'
            with pytest.raises(ValueError, match=message):
                network(first, torch.tensor(wrong))


@pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))
@pytest.mark.parametrize('training', [True, False])
def test_gradient_penalty_reaches_every_parameter(cfg, training):
    discriminator = built(cfg).train(training)
    images, labels = inputs(cfg)
    images.requires_grad_()
    logits = discriminator(images, labels)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    # The logits too, because a slope does not change with the last bias.
    (slope.square().sum() + logits.square().sum()).backward()
    grads = {n: p.grad for n, p in discriminator.named_parameters() if not idle(n)}
    assert [n for n, g in grads.items() if g is None or not g.isfinite().all()] == []
    assert any(g.any() for g in grads.values())


@pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))
def test_second_derivatives_match_finite_differences(cfg):
    discriminator = built(cfg).double()
    images, labels = inputs(cfg, 2)
    images = images.double().requires_grad_()

    def penalty():
        logits = discriminator(images, labels)
        (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return slope.square().sum()

    parameters = [p for p in discriminator.parameters() if p.dim() > 1]
    value = penalty()
    grads = torch.autograd.grad(value, parameters, allow_unused=True)
    directions = [torch.randn_like(parameter) for parameter in parameters]
    expected = sum((g * d).sum() for g, d in zip(grads, directions, strict=True) if g is not None)
    values = []
    for step in (1e-7, -2e-7):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += step * direction
        values.append(penalty().item())
    measured = (values[0] - values[1]) / 2e-7
    assert math.isclose(measured, expected.item(), rel_tol=1e-3, abs_tol=1e-5 * abs(value.item()))


@pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))
def test_classes_are_told_where_there_is_a_classifier(cfg):
    discriminator = built(cfg)
    images, labels = inputs(cfg)
    if cfg.get('conditioning') == 'classifier':
        assert discriminator.has_classifier
        logits, class_logits = discriminator(images, labels, return_classes=True)
        torch.testing.assert_close(logits, discriminator(images))
        assert class_logits.shape == (6, 3)
        assert (class_logits[0] - class_logits[1]).abs().max() > 1e-5
    elif hasattr(discriminator, 'has_classifier'):
        assert not discriminator.has_classifier
        with pytest.raises(ValueError, match=r'return_classes=True needs a discriminator with a'):
            discriminator(images, labels, return_classes=True)


@pytest.mark.parametrize('name', [n for n in [*GENERATORS, *DISCRIMINATORS] if n not in ANY_SIZE])
def test_sizes_that_cannot_be_are_named(name):
    for shape in ((1, 27, 27), (1, 28, 30), (1, 2, 2)):
        with pytest.raises(ValueError, match=r'image_shape must have .*sides? of .* got \(1, 2'):
            MODELS.build(dict(type=name, image_shape=shape))
    with pytest.raises(ValueError, match=r'image_shape must be three positive ints'):
        MODELS.build(dict(type=name, image_shape=(28, 28)))


@pytest.mark.parametrize('side', [28, 32, 64, 128])
@pytest.mark.parametrize('colors', [1, 3])
def test_usual_sizes(side, colors):
    images = (2, colors, side, side)
    for networks in (GENERATORS, DISCRIMINATORS):
        for case in cases(networks, conditional=False):
            if side == 28 and case.values[0]['type'] in POWERS_OF_TWO:
                continue
            cfg = {**case.values[0], 'image_shape': images[1:]}
            first = inputs(cfg, 2)[0] if networks is GENERATORS else torch.zeros(images)
            out = MODELS.build(cfg).eval()(first)
            assert out.shape == (images if networks is GENERATORS else logits_shape(cfg, out))


@pytest.mark.parametrize('sides', [(16, 24), (32, 16), (24, 40)])
@pytest.mark.parametrize('channels', [1, 2, 3, 4, 7])
def test_any_channels_and_sides_that_differ(channels, sides):
    shape = (channels, *sides)
    for case in cases(GENERATORS):
        cfg = {**case.values[0], 'image_shape': shape}
        if cfg['type'] in POWERS_OF_TWO:
            continue
        assert MODELS.build(cfg)(*inputs(cfg, 2)).shape == (2, *shape)
    for case in cases(DISCRIMINATORS):
        cfg = {**case.values[0], 'image_shape': shape}
        if cfg['type'] in POWERS_OF_TWO:
            continue
        images, labels = torch.zeros(2, *shape), inputs(cfg, 2)[1]
        logits = MODELS.build(cfg)(images, labels)
        assert logits.shape == logits_shape(cfg, logits)


@pytest.mark.parametrize('num_classes', [None, 3])
@pytest.mark.parametrize(
    ('generator', 'discriminator'), list(zip(GENERATORS, DISCRIMINATORS, strict=True))
)
def test_pairs_train(generator, discriminator, num_classes, make_batch, make_optim_wrapper):
    shape = shape_of(generator)
    common = dict(image_shape=shape)
    if GENERATORS[generator][1]:
        common['num_classes'] = num_classes
    elif num_classes:
        pytest.skip('takes no labels')
    gan = GAN(
        generator={'type': generator, 'latent_dim': 5, **common, **GENERATORS[generator][0]},
        discriminator=dict(type=discriminator, **common, **DISCRIMINATORS[discriminator][0]),
        loss=dict(type='NonSaturatingGANLoss'),
        ema=dict(type='ExponentialMovingAverage', momentum=1e-2),
    )
    before = copy.deepcopy(gan.state_dict())
    batch = make_batch(6, shape, None if num_classes is None else [0, 1, 2, 0, 1, 2])
    log = gan.train_step(batch, make_optim_wrapper(gan))
    assert all(value.isfinite() for value in log.values())
    moved = {
        key.partition('.')[0]
        for key, value in gan.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert {'generator', 'discriminator', 'generator_ema'} <= moved
    assert gan.sample(2).shape == (2, *shape)


# Counts of the tables in the docs, for gray images and no labels: generator and discriminator.
COUNTS = {
    'BigGANDeep': {
        28: (2_507_521, 644_481),
        32: (1_860_993, 644_481),
        64: (2_304_257, 644_481),
        128: (2_747_521, 644_481),
    },
    'BigGAN': {
        28: (3_090_945, 4_199_681),
        32: (3_959_809, 4_199_681),
        64: (5_187_329, 4_199_681),
        128: (6_420_993, 4_199_681),
    },
    'DCGAN': {
        28: (759_681, 138_689),
        32: (1_066_881, 661_313),
        64: (3_574_657, 2_763_585),
        128: (12_784_513, 11_162_433),
    },
    'FastGAN': {
        28: (56_307_973, 12_128_768),
        32: (29_094_023, 9_966_080),
        64: (29_684_873, 10_692_864),
        128: (30_434_379, 11_313_504),
    },
    'PGGAN': {
        28: (24_646_147, 24_652_801),
        32: (20_715_524, 20_722_689),
        64: (22_485_765, 22_493_441),
        128: (22_928_518, 22_936_449),
    },
    'R3GAN': {
        28: (2_050_560, 2_034_432),
        32: (2_715_904, 2_699_776),
        64: (3_389_696, 3_373_568),
        128: (4_063_488, 4_047_360),
    },
    'ResNet': {
        28: (4_114_945, 1_051_265),
        32: (4_272_129, 1_051_265),
        64: (5_519_105, 1_051_265),
        128: (6_766_081, 1_051_265),
    },
    'ResizeConv': {
        28: (441_097, 181_153),
        32: (534_697, 182_593),
        64: (1_732_777, 201_025),
        128: (6_525_097, 274_753),
    },
    'SAGAN': {
        28: (4_196_866, 1_071_746),
        32: (4_354_050, 1_071_746),
        64: (5_601_026, 1_071_746),
        128: (6_848_002, 1_071_746),
    },
}


@pytest.mark.parametrize('name', COUNTS)
@pytest.mark.parametrize('side', [28, 32, 64, 128])
def test_parameter_counts_of_the_docs(name, side):
    found = []
    # Spectral norm has no parameters, but takes seconds where there are many layers.
    plain = dict(spectral_norm=False) if name.startswith('BigGAN') else {}
    for kind in ('Generator', 'Discriminator'):
        with torch.device('meta'):  # no memory, and no time for random numbers
            network = MODELS.build(dict(type=name + kind, image_shape=(1, side, side), **plain))
        found.append(sum(parameter.numel() for parameter in network.parameters()))
    assert tuple(found) == COUNTS[name][side]
