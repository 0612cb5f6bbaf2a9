import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmgan_lite.checkpoints.foreign import mm_translation, translators
from mmgan_lite.models import MultiScaleDiscriminator, PatchDiscriminator, losses


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_counts_of_the_papers():
    with torch.device('meta'):
        assert count(PatchDiscriminator(in_channels=6)) == 2_768_705
        assert count(PatchDiscriminator(norm='instance')) == 2_764_737
        assert count(MultiScaleDiscriminator()) == 3 * 2_764_737


# By hand: a convolution adds (kernel - 1) times the product of the strides before it.
# Two layers: 1 + 3 + 2 * 3 + 4 * 3 + 4 * 3 = 34. The names in pix2pix are PixelGAN, 16x16 PatchGAN,
# 70x70 PatchGAN and ImageGAN. A blur adds 2 times that product.
@pytest.mark.parametrize(
    ('num_layers', 'downsampling', 'field'),
    [
        (0, 'strided', 1),
        (1, 'strided', 16),
        (2, 'strided', 34),
        (3, 'strided', 70),
        (5, 'strided', 286),
        (1, 'blur', 1 + 3 + 2 + 2 * 3 + 2 * 3),
        (3, 'blur', 1 + (3 + 2) * (1 + 2 + 4) + 8 * 3 + 8 * 3),
    ],
)
def test_receptive_fields(num_layers, downsampling, field):
    network = PatchDiscriminator(1, 1, num_layers, 'none', downsampling).double()
    for parameter in network.parameters():  # no weight hides a pixel
        nn.init.ones_(parameter)
    side = field + 4 * 2**num_layers + 4
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    logits = network(image)
    middle = logits.shape[2] // 2
    (slope,) = torch.autograd.grad(logits[0, 0, middle, middle], image)
    rows, columns = slope[0, 0].nonzero().T
    for seen in (rows, columns):
        assert seen.max() - seen.min() + 1 == field


@pytest.mark.parametrize('downsampling', ['strided', 'blur'])
def test_one_logit_a_patch(downsampling):
    for num_layers, sides, patches in (
        (0, (5, 9), (5, 9)),
        (1, (16, 21), (6, 8)),
        (3, (256, 256), (30, 30)),
        (3, (24, 31), (1, 1)),
    ):
        network = PatchDiscriminator(2, 1, num_layers, downsampling=downsampling)
        assert network(torch.zeros(2, 2, *sides)).shape == (2, 1, *patches)


def test_layers_by_hand():
    """One layer, the blur of CUT after the activation."""
    network = PatchDiscriminator(2, 3, 1, 'instance', 'blur')
    images = torch.randn(2, 2, 16, 20)
    first, _, _, second, _, _, last = network.layers
    features = F.leaky_relu(F.conv2d(images, first.weight, first.bias, padding=1), 0.2)
    padded = F.pad(features, (1,) * 4, mode='reflect')
    features = F.avg_pool2d(F.avg_pool2d(padded, 2, stride=1), 2, stride=1)[..., ::2, ::2]
    features = F.instance_norm(F.conv2d(features, second.weight, second.bias, padding=1))
    logits = F.conv2d(F.leaky_relu(features, 0.2), last.weight, last.bias, padding=1)
    torch.testing.assert_close(network(images), logits)


def test_weights_at_the_start():
    network = PatchDiscriminator(base_channels=16)
    gains = torch.cat([m.weight for m in network.modules() if isinstance(m, nn.BatchNorm2d)])
    assert gains.mean().item() == pytest.approx(1, abs=0.01)
    assert gains.std().item() == pytest.approx(0.02, rel=0.15)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    for conv in convolutions:
        assert conv.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert [conv.bias is not None for conv in convolutions] == [True, False, False, False, True]


def maps_of(network, images):
    """What the discriminators of the scales give, on images that pooling has halved."""
    maps = []
    for scale in network.scales:
        maps.append(scale(images))
        halves = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
        images = halves(images)
    return maps


OBJECTIVES = ['NonSaturatingGANLoss', 'LeastSquaresGANLoss', 'HingeGANLoss', 'WassersteinGANLoss']


@pytest.mark.parametrize('objective', OBJECTIVES)
def test_each_scale_has_the_same_share_of_a_loss(objective):
    """16, 4 and 1 times as many pixels: the loss is the mean of the three losses."""
    network = MultiScaleDiscriminator(base_channels=4, num_layers=0)
    loss = getattr(losses, objective)()
    real, fake = (20 * torch.randn(2, 3, 16, 24) for _ in range(2))
    pairs = list(zip(maps_of(network, real), maps_of(network, fake), strict=True))
    assert [one[0].shape[1:] for one in pairs] == [(1, 16, 24), (1, 8, 12), (1, 4, 6)]
    expected = torch.stack([loss.discriminator(*one) for one in pairs]).mean()
    torch.testing.assert_close(loss.discriminator(network(real), network(fake)), expected)
    expected = torch.stack([loss.generator(one[1]) for one in pairs]).mean()
    torch.testing.assert_close(loss.generator(network(fake)), expected)


def test_each_patch_counts_about_as_often_as_others_of_its_scale():
    """With 14x14, 6x6 and 2x2 patches: 1, 5 or 6, and 49 times."""
    network = MultiScaleDiscriminator(base_channels=2).eval()
    images = torch.randn(1, 3, 128, 128)
    logits = network(images)
    assert logits.shape == (1, 3, 196)
    for found, expected, times in zip(
        logits[0], maps_of(network, images), ({1}, {5, 6}, {49}), strict=True
    ):
        values, counts = found.unique(return_counts=True)
        torch.testing.assert_close(values, expected.flatten().sort().values)
        assert set(counts.tolist()) == times


def test_images_that_do_not_fit_are_named():
    for network, smallest in (
        (PatchDiscriminator(base_channels=1), 24),
        (PatchDiscriminator(base_channels=1, downsampling='blur'), 24),
        (PatchDiscriminator(base_channels=1, num_layers=0), 1),
        (MultiScaleDiscriminator(base_channels=1), 93),
        (MultiScaleDiscriminator(base_channels=1, num_scales=2, num_layers=1), 11),
    ):
        network.eval()
        assert network(torch.zeros(1, 3, smallest, smallest + 1)).isfinite().all()
        message = rf'images must have sides of at least {smallest} pixels, got {smallest - 1}x100. '
        with pytest.raises(ValueError, match=message):
            network(torch.zeros(1, 3, smallest - 1, 100))


def test_bad_arguments_are_named():
    for network in (PatchDiscriminator, MultiScaleDiscriminator):
        for name, value in (
            ('in_channels', 0),
            ('base_channels', 0),
            ('num_layers', -1),
            ('norm', 'layer'),
        ):
            with pytest.raises(ValueError, match=rf'{name} must be .*, got {value!r}'):
                network(**{name: value})
    with pytest.raises(ValueError, match=r'num_scales must be an int of at least 1, got 0'):
        MultiScaleDiscriminator(num_scales=0)
    with pytest.raises(ValueError, match=r"downsampling must be .*, got 'pool'"):
        PatchDiscriminator(downsampling='pool')


@torch.no_grad()
@pytest.mark.parametrize('name', ['pix2pix', 'cyclegan'])
def test_computes_what_the_authors_do(golden_of, name):
    golden = golden_of(f'{name}_patch_discriminator')
    network = golden.made_by(translators.convert_patchgan)
    golden.check(network(golden.io['images']), 'logits')


@torch.no_grad()
@pytest.mark.parametrize(('name', 'images'), [('pix2pix', [3, 3]), ('cyclegan', [3])])
def test_computes_what_mmagic_does(golden_of, name, images):
    golden = golden_of(f'mmagic_{name}_discriminator')
    network = golden.converted(mm_translation.patch, images)
    golden.check(network(golden.io['images']), 'logits')
