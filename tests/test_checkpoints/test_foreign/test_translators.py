"""Networks of pix2pix and CycleGAN, in all forms that their authors write."""

import re

import pytest
import torch

from mmgan_lite.checkpoints.foreign import Ledger
from mmgan_lite.checkpoints.foreign.translators import (
    convert_patchgan,
    convert_translator,
    is_resnet,
    is_unet,
)
from mmgan_lite.registry import MODELS


def build(convert, state):
    ledger = Ledger(state, 'a.pth')
    config, tensors = convert(ledger)
    ledger.close()
    network = MODELS.build(config)
    network.load_state_dict(tensors)
    return network.eval(), config


@torch.no_grad()
@pytest.mark.parametrize(
    ('name', 'images'),
    [
        ('pix2pix_unet_generator', 'images_running_statistics'),
        ('cyclegan_resnet_generator', 'images'),
    ],
)
def test_generators_compute_what_the_authors_do(golden, assert_like, name, images):
    state, io, _ = golden(name)
    network, _ = build(convert_translator, state)
    assert_like(network(io['source'][: len(io[images])]), io[images])


@torch.no_grad()
@pytest.mark.parametrize('name', ['pix2pix', 'cyclegan'])
def test_discriminators_compute_what_the_authors_do(golden, assert_like, name):
    state, io, _ = golden(f'{name}_patch_discriminator')
    network, config = build(convert_patchgan, state)
    assert_like(network(io['images']), io['logits'])
    assert config['norm'] == dict(pix2pix='batch', cyclegan='instance')[name]


def theirs_of(network, names):
    """A state as the authors name it, from one of ours, of random numbers."""
    state = {}
    for name, tensor in network.state_dict().items():
        theirs = names(name)
        state[theirs] = torch.rand(tensor.shape) if tensor.is_floating_point() else tensor
    return state


@torch.no_grad()
@pytest.mark.parametrize('norm', ['batch', 'instance', 'none'])
@pytest.mark.parametrize('dropout', [False, True])
def test_resnets_of_all_norms(norm, dropout):
    settings = dict(in_channels=1, out_channels=2, base_channels=3, num_blocks=2, norm=norm)
    ours = MODELS.build(dict(type='ResNetTranslator', **settings)).eval()

    def names(name):
        name = re.sub(r'^layers', 'model', name).replace('.layers.', '.conv_block.')
        moved = {'5': '6', '6': '7'} if dropout else {}
        return re.sub(r'(?<=conv_block\.)[56]', lambda m: moved.get(m[0], m[0]), name)

    state = theirs_of(ours, names)
    ours.load_state_dict({k: state[names(k)] for k in ours.state_dict()})
    if norm == 'none':  # theirs has no bias before the norm that is none, but at the end
        last = max(int(name.split('.')[1]) for name in state)
        for name in [n for n in state if n.endswith('bias') and f'.{last}.' not in n]:
            state[name].zero_()
        ours.load_state_dict({k: state[names(k)] for k in ours.state_dict()})
        state = {n: t for n, t in state.items() if not n.endswith('bias') or f'.{last}.' in n}
    if norm == 'batch':  # as before torch 0.4.1
        state = {n: t for n, t in state.items() if 'num_batches' not in n}
    if norm == 'instance':  # as before torch 0.4
        state |= {'model.2.running_mean': torch.ones(3), 'model.2.running_var': torch.ones(3)}
    assert is_resnet(state)
    found, config = build(convert_translator, state)
    assert (config['norm'], config['num_blocks']) == (norm, 2)
    source = torch.randn(1, 1, 16, 16)
    assert torch.equal(found(source), ours(source))


@torch.no_grad()
@pytest.mark.parametrize('levels', [5, 7])
@pytest.mark.parametrize('norm', ['batch', 'instance', 'none'])
def test_unets_of_all_norms(levels, norm):
    settings = dict(in_channels=1, out_channels=2, levels=levels, base_channels=2, norm=norm)
    ours = MODELS.build(dict(type='UNetTranslator', **settings)).eval()

    def names(name):
        _, way, level, place, last = name.split('.')
        level = int(level) if way == 'downs' else levels - 1 - int(level)
        start = 'model.model' + '.1.model' * (level > 0) + '.3.model' * (level - 1)
        if way == 'ups':
            place = int(place) + (2 if level in (0, levels - 1) else 4)
        return f'{start}.{place}.{last}'

    state = theirs_of(ours, names)
    ours.load_state_dict({k: state[names(k)] for k in ours.state_dict()})
    assert is_unet(state)
    found, config = build(convert_translator, state)
    # With the biases that ours has, no norm and instance norm have the same tensors.
    assert (config['levels'], config['norm']) == (levels, norm.replace('none', 'instance'))
    side = 2**levels
    source = torch.randn(1, 1, side, side)
    if norm != 'none':
        assert torch.equal(found(source), ours(source))


@torch.no_grad()
def test_pixel_discriminators():
    ours = MODELS.build(dict(type='PatchDiscriminator', base_channels=4, num_layers=0)).eval()
    state = theirs_of(ours, lambda name: name.replace('layers', 'net'))
    ours.load_state_dict({k: state[k.replace('layers', 'net')] for k in ours.state_dict()})
    found, config = build(convert_patchgan, state)
    assert config['num_layers'] == 0
    images = torch.randn(1, 3, 8, 8)
    assert torch.equal(found(images), ours(images))
