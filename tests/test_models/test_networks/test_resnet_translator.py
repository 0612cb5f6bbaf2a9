import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.checkpoints.foreign import mm_translation, translators
from mmgan_lite.models import ResNetTranslator

CUT = dict(downsampling='blur', upsampling='resize')
CUT_LAYERS = (0, 4, 8, 12, 16)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(('num_blocks', 'parameters'), [(9, 11_378_179), (6, 7_837_699)])
@pytest.mark.parametrize('sampling', [{}, CUT])
def test_parameter_counts_of_the_papers(num_blocks, parameters, sampling):
    with torch.device('meta'):
        assert count(ResNetTranslator(num_blocks=num_blocks, **sampling)) == parameters


def test_layers_by_hand_of_cut():
    """The images, and the features that CUT compares, from the filters of its authors' code."""
    network = ResNetTranslator(base_channels=3, num_blocks=5, **CUT)
    images = torch.randn(2, 3, 24, 32)
    convolutions = {n: m for n, m in enumerate(network.layers) if isinstance(m, nn.Conv2d)}
    weights = {n: (m.weight, m.bias) for n, m in convolutions.items()}
    assert list(weights) == [1, 4, 8, 18, 22, 26]

    def reflected(features, pixels):
        return F.pad(features, (pixels,) * 4, mode='reflect')

    def activated(features):
        return F.relu(F.instance_norm(features))

    def halved(features):  # [1, 1] * [1, 1] = [1, 2, 1]
        return F.avg_pool2d(F.avg_pool2d(reflected(features, 1), 2, stride=1), 2, stride=1)[
            ..., ::2, ::2
        ]

    def doubled(features):
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
        kernels = torch.outer(taps, taps).expand(features.shape[1], 1, 4, 4)
        padded = F.pad(features, (1,) * 4, mode='replicate')
        return F.conv_transpose2d(padded, kernels, stride=2, padding=3, groups=len(kernels))

    padded = reflected(images, 3)
    features = activated(F.conv2d(padded, *weights[1]))
    expected = [padded]
    for number in (4, 8):
        expected.append(F.conv2d(features, *weights[number], padding=1))
        features = halved(activated(expected[-1]))
    for block in network.layers[12:17]:
        _, first, _, _, _, second, _ = block.layers
        inner = activated(F.conv2d(reflected(features, 1), first.weight, first.bias))
        inner = F.conv2d(reflected(inner, 1), second.weight, second.bias)
        features = features + F.instance_norm(inner)
        expected.append(features)
    for number in (18, 22):
        features = activated(F.conv2d(doubled(features), *weights[number], padding=1))
    last = torch.tanh(F.conv2d(reflected(features, 3), *weights[26]))

    torch.testing.assert_close(network(images), last, atol=1e-5, rtol=1e-4)
    found = network.features(images, CUT_LAYERS)
    for one, other in zip(found, [*expected[:4], expected[-1]], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_features_have_the_channels_of_cut():
    """Its projections, two linear layers of 256 for each layer, have 560,384 parameters."""
    with torch.device('meta'):
        network = ResNetTranslator(**CUT)
        features = network.features(torch.empty(1, 3, 256, 256), CUT_LAYERS)
    shapes = [tuple(feature.shape[1:]) for feature in features]
    sizes = [(3, 262, 262), (128, 256, 256), (256, 128, 128), (256, 64, 64), (256, 64, 64)]
    assert shapes == sizes
    assert sum(256 * (c + 1) + 256 * 257 for c, *_ in shapes) == 560_384


def test_features_come_as_asked_for_and_no_layer_too_many():
    network = ResNetTranslator(base_channels=2, num_blocks=2).eval()
    images = torch.randn(1, 3, 16, 16)
    calls = []
    for number, module in enumerate(network.layers):
        module.register_forward_hook(lambda *_, number=number: calls.append(number))
    found = network.features(images, (5, 0, 2, 5))
    assert calls == [0, 1, 2, 3, 4, 5]
    assert [tuple(f.shape) for f in found] == [
        (1, 4, 8, 8),
        (1, 3, 22, 22),
        (1, 2, 16, 16),
        (1, 4, 8, 8),
    ]
    # What a norm gives is not what the activation after it makes of it.
    assert found[2].min() < 0
    for layers in ((), (-1,), (0, len(network.layers))):
        with pytest.raises(ValueError, match=r'layers must be numbers of modules, from 0 to 20, g'):
            network.features(images, layers)


def test_weights_at_the_start():
    network = ResNetTranslator(base_channels=16, num_blocks=1, norm='batch')
    gains = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.15)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for conv in convolutions:
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert [conv.bias is not None for conv in convolutions] == [False] * 7 + [True]


def test_sizes_that_do_not_fit_are_answered_with_the_nearest():
    network = ResNetTranslator(base_channels=2, num_blocks=1)
    for sides, nearest in (
        ((30, 64), '28x64 or 32x64'),
        ((4, 10), '8x8 or 8x12'),
        ((7, 7), '8x8'),
    ):
        message = (
            r'images must have sides of 8, 12, 16, ... pixels, multiples of 4 \(2 to the power '
            rf'of 2 levels\), got {sides[0]}x{sides[1]}. Resize or pad them to {nearest}\.$'
        )
        with pytest.raises(ValueError, match=message):
            network(torch.zeros(1, 3, *sides))
        with pytest.raises(ValueError, match=message):
            network.features(torch.zeros(1, 3, *sides), (0,))
    assert network.size_multiple == 4


def test_bad_arguments_are_named():
    for name, value in (
        ('num_blocks', -1),
        ('base_channels', 0),
        ('in_channels', 0),
        ('out_channels', -1),
        ('norm', 'layer'),
        ('downsampling', 'pool'),
        ('upsampling', 'bilinear'),
    ):
        with pytest.raises(ValueError, match=rf'{name} must be .*, got {value!r}'):
            ResNetTranslator(**{name: value})


@torch.no_grad()
def test_computes_what_the_authors_do(golden_of):
    golden = golden_of('cyclegan_resnet_generator')
    network = golden.made_by(translators.convert_translator)
    golden.check(network(golden.io['source']), 'images')


@torch.no_grad()
def test_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_cyclegan_generator')
    network = golden.converted(mm_translation.resnet)
    golden.check(network(golden.io['source']), 'images')
