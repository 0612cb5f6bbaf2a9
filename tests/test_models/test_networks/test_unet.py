import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.checkpoints.foreign import mm_translation, translators
from mmgan_lite.models import UNetTranslator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(('levels', 'parameters'), [(8, 54_413_955), (7, 41_828_995)])
def test_parameter_counts_of_the_paper(levels, parameters):
    with torch.device('meta'):
        assert count(UNetTranslator(levels=levels)) == parameters


def test_layers_by_hand():
    """Two levels of 'resize', no norm: the features of the first one skip the second."""
    network = UNetTranslator(2, 1, levels=2, base_channels=3, norm='none', upsampling='resize')
    images = torch.randn(2, 2, 8, 12)
    (outer,), (_, inner) = network.layers.downs
    (_, (_, back), _), (_, (_, last), _) = network.layers.ups
    first = F.conv2d(images, outer.weight, outer.bias, stride=2, padding=1)
    second = F.conv2d(F.leaky_relu(first, 0.2), inner.weight, inner.bias, stride=2, padding=1)
    doubled = F.relu(second).repeat_interleave(2, 2).repeat_interleave(2, 3)
    up = F.relu(torch.cat([first, F.conv2d(doubled, back.weight, back.bias, padding=1)], 1))
    doubled = up.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = torch.tanh(F.conv2d(doubled, last.weight, last.bias, padding=1))
    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(
    ('levels', 'places'), [(1, []), (5, []), (6, [1]), (7, [1, 2]), (8, [1, 2, 3])]
)
def test_dropout_comes_after_the_innermost_level(levels, places):
    with torch.device('meta'):
        network = UNetTranslator(levels=levels)
    found = {
        number: module.p
        for number, up in enumerate(network.layers.ups)
        for module in up
        if isinstance(module, nn.Dropout)
    }
    assert found == dict.fromkeys(places, 0.5)
    with torch.device('meta'):
        network = UNetTranslator(levels=levels, dropout=0)
    assert not any(isinstance(module, nn.Dropout) for module in network.modules())


def test_dropout_is_random_in_training_mode_only():
    network = UNetTranslator(levels=6, base_channels=2)
    images = torch.randn(2, 3, 64, 64)
    assert (network(images) - network(images)).abs().max() > 1e-4
    network.eval()
    assert torch.equal(network(images), network(images))


def test_weights_at_the_start():
    network = UNetTranslator(levels=5, base_channels=16)
    gains = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert gains.mean().item() == pytest.approx(1, abs=0.005)
    assert gains.std().item() == pytest.approx(0.02, rel=0.15)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) == 10
    for conv in convolutions:
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert [conv.bias is not None for conv in convolutions] == [False] * 9 + [True]


def test_sizes_that_do_not_fit_are_answered_with_the_nearest():
    network = UNetTranslator(levels=4, base_channels=2).eval()
    for sides, nearest in (
        ((30, 64), '16x64 or 32x64'),
        ((33, 40), '32x32 or 48x48'),
        ((8, 16), '16x16'),
    ):
        message = (
            r'images must have sides of 16, 32, 48, ... pixels, multiples of 16 \(2 to the power '
            rf'of 4 levels\), got {sides[0]}x{sides[1]}. Resize or pad them to {nearest}\.$'
        )
        with pytest.raises(ValueError, match=message):
            network(torch.zeros(1, 3, *sides))
    assert network.size_multiple == 16


def test_bad_arguments_are_named():
    for name, value in (
        ('levels', 0),
        ('base_channels', 0),
        ('in_channels', 0),
        ('out_channels', -1),
        ('norm', 'layer'),
        ('dropout', 1.5),
        ('upsampling', 'bilinear'),
    ):
        with pytest.raises(ValueError, match=rf'{name} must be .*, got {value!r}'):
            UNetTranslator(**{name: value})


def check_both_statistics(golden, network):
    """By the running statistics of batch norm, and by those of the batch."""
    source = golden.io['source']
    running = golden.io['images_running_statistics']
    golden.check(network(source[: len(running)]), 'images_running_statistics')
    golden.check(network.train()(source), 'images_batch_statistics')


@torch.no_grad()
def test_computes_what_the_authors_do(golden_of):
    golden = golden_of('pix2pix_unet_generator')
    check_both_statistics(golden, golden.made_by(translators.convert_translator))


@torch.no_grad()
def test_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_pix2pix_generator')
    check_both_statistics(golden, golden.converted(mm_translation.unet))
