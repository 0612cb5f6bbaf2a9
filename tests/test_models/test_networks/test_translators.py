"""What every network of images of any size promises: translators, and discriminators of patches."""

import copy
import math

import pytest
import torch
from torch import nn

from mmgan_lite import list_components
from mmgan_lite.registry import MODELS

# Arguments that keep each network tiny; a new network is added here. Channels that differ, so that
# none are taken for others.
TRANSLATORS = dict(
    ResNetTranslator=[
        dict(base_channels=4, num_blocks=2),
        dict(base_channels=4, num_blocks=1, norm='batch', upsampling='resize'),
        dict(base_channels=4, num_blocks=0, norm='none', downsampling='blur'),
    ],
    UNetTranslator=[
        dict(base_channels=4, levels=3),
        dict(base_channels=4, levels=3, norm='instance', upsampling='resize'),
        dict(base_channels=2, levels=6, norm='none', dropout=0),
        dict(base_channels=4, levels=1),
    ],
)
DISCRIMINATORS = dict(
    MultiScaleDiscriminator=[
        dict(base_channels=4, num_layers=1),
        dict(base_channels=4, num_layers=1, num_scales=2, norm='batch'),
    ],
    PatchDiscriminator=[
        dict(base_channels=4, num_layers=2),
        dict(base_channels=4, num_layers=2, norm='instance'),
        dict(base_channels=4, num_layers=2, norm='none', downsampling='blur'),
        dict(base_channels=4, num_layers=0),
    ],
)
SIDES = (64, 128)


def cases(networks):
    found = []
    for name, settings in networks.items():
        channels = dict(in_channels=2, out_channels=5) if networks is TRANSLATORS else {}
        for number, cfg in enumerate(settings):
            cfg = dict(type=name, **(channels or dict(in_channels=3)), **cfg)
            found.append(pytest.param(cfg, id=f'{name}-{number}'))
    return found


def built(cfg):
    """The network in eval mode, with weights as large as those of a trained one."""
    network = MODELS.build(dict(cfg)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def images_for(cfg, num=3, sides=SIDES):
    return torch.rand(num, cfg['in_channels'], *sides) * 2 - 1


def inert(network):
    """Biases that a norm takes out again."""
    names = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential):
            layers = list(module.named_children())
            for (number, layer), (_, after) in zip(layers, layers[1:], strict=False):
                # The convolution may be the last of a module of its own.
                path = f'{name}.{number}' + ('.1' if isinstance(layer, nn.Sequential) else '')
                if isinstance(after, nn.InstanceNorm2d):
                    names.append(f'{path}.bias')
    return names


ALL = cases(TRANSLATORS) + cases(DISCRIMINATORS)
each_network = pytest.mark.parametrize('cfg', ALL)
each_translator = pytest.mark.parametrize('cfg', cases(TRANSLATORS))
each_discriminator = pytest.mark.parametrize('cfg', cases(DISCRIMINATORS))


def test_all_are_tested_here():
    """Those of one shape are in test_networks.py."""
    for kind, tested in (('translators', TRANSLATORS), ('discriminators', DISCRIMINATORS)):
        found = {c.name for c in list_components(kind) if 'image_shape' not in c.signature}
        assert found == set(tested)
    assert not [c for c in list_components('generators') if 'image_shape' not in c.signature]


@each_translator
def test_images_keep_their_size(cfg):
    network = MODELS.build(dict(cfg))
    assert (network.in_channels, network.out_channels) == (2, 5)
    step = network.size_multiple
    for sides in ((64, 128), (network.min_side, network.min_side + step)):
        # More than one image: batch norm at one pixel has nothing else to compare with.
        images = network(100 * images_for(cfg, 2, sides))
        assert images.shape == (2, 5, *sides)
        assert images.dtype == torch.float32
        assert images.abs().max() <= 1


@each_discriminator
def test_raw_logits_of_each_image(cfg):
    logits = built(cfg)(1e4 * images_for(cfg))
    assert len(logits) == 3
    assert logits.ndim > 1
    # A sigmoid anywhere would hold this below 1.
    assert logits.abs().max() > 1


@each_network
def test_every_parameter_gets_a_gradient(cfg):
    network = built(cfg).train()
    network(images_for(cfg)).square().sum().backward()
    without = {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    assert without <= set(inert(network))


@each_network
def test_one_image_trains(cfg):
    network = built(cfg).train()
    out = network(images_for(cfg, 1))
    out.square().mean().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@each_network
def test_eval_output_does_not_depend_on_batch_mates(cfg):
    network, images = built(cfg), images_for(cfg)
    torch.testing.assert_close(network(images)[:1], network(images[:1]), atol=1e-4, rtol=1e-4)


@each_network
def test_channels_last_gives_the_same(cfg):
    network, images = built(cfg), images_for(cfg)
    expected = network(images)
    network.to(memory_format=torch.channels_last)
    found = network(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@each_network
def test_trains_in_bfloat16(cfg):
    network, images = built(cfg).train(), images_for(cfg)
    with torch.autocast('cpu', torch.bfloat16):
        out = network(images)
    assert out.dtype == torch.bfloat16
    out.float().square().mean().backward()
    assert out.isfinite().all()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@each_network
def test_state_loads_into_a_new_one(cfg):
    network, images = built(cfg), images_for(cfg)
    fresh = MODELS.build(dict(cfg)).eval()
    fresh.load_state_dict(network.state_dict())
    expected = network(images)
    torch.testing.assert_close(fresh(images), expected)
    torch.testing.assert_close(copy.deepcopy(network)(images), expected)


@each_network
def test_other_channels_are_named(cfg):
    network = MODELS.build(dict(cfg))
    channels = cfg['in_channels']
    for shape in ((2, channels + 1, 64, 64), (channels, 64, 64)):
        message = (
            rf'images must be of shape \(N, {channels}, H, W\) for a network with in_channels='
            rf'{channels}, got \({shape[0]}, {shape[1]}'
        )
        with pytest.raises(ValueError, match=message):
            network(torch.zeros(shape))


@each_discriminator
def test_takes_no_labels(cfg):
    with pytest.raises(ValueError, match=r'labels were given to a network without classes'):
        MODELS.build(dict(cfg))(images_for(cfg), torch.tensor([0, 1, 2]))


@each_discriminator
@pytest.mark.parametrize('training', [True, False])
def test_second_derivatives_match_finite_differences(cfg, training):
    """Of a gradient penalty with respect to the weights."""
    discriminator = built(cfg).train(training).double()
    images = images_for(cfg, 2, (24, 28)).double().requires_grad_()

    def penalty():
        logits = discriminator(images)
        (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        return slope.square().sum()

    parameters = [p for p in discriminator.parameters() if p.dim() > 1]
    value = penalty()
    grads = torch.autograd.grad(value, parameters)
    directions = [torch.randn_like(parameter) for parameter in parameters]
    expected = sum((g * d).sum() for g, d in zip(grads, directions, strict=True))
    values = []
    # So small that no activation changes its sign, where the slope jumps.
    for step in (1e-9, -2e-9):
        with torch.no_grad():
            for parameter, direction in zip(parameters, directions, strict=True):
                parameter += step * direction
        values.append(penalty().item())
    measured = (values[0] - values[1]) / 2e-9
    assert math.isclose(measured, expected.item(), rel_tol=1e-3, abs_tol=1e-5 * abs(value.item()))
