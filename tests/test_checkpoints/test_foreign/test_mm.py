import re

import pytest
import torch
from mmengine.config import Config

from mmgan_lite.checkpoints.foreign import convert_checkpoint
from mmgan_lite.registry import MODELS

GANS = ['dcgan', 'sngan', 'sagan', 'biggan', 'pggan', 'stylegan2']


def build(checkpoint):
    model = MODELS.build(Config.fromstring(checkpoint['meta']['cfg'], '.py').model)
    model.load_state_dict(checkpoint['state_dict'])
    return model.eval()


@torch.no_grad()
@pytest.mark.parametrize('order', ['rgb', 'bgr'])
@pytest.mark.parametrize('name', GANS)
def test_each_gan_computes_what_it_did_there(write_mm, io_of, assert_like, name, order):
    """Of blue, green and red images it gives and takes red, green and blue ones."""
    networks = {kind: f'mmagic_{name}_{kind}' for kind in ('generator', 'discriminator')}
    model = build(convert_checkpoint(write_mm(networks), channel_order=order))
    images, logits = (io_of(networks[kind]) for kind in networks)
    side = '_32_1_0' if name == 'pggan' else ''
    labels = [images['labels']] if 'labels' in images else []
    turned = 1 if order == 'bgr' else 0
    found = model.generator(images['latents'], *labels)
    assert_like(found.flip(1) if turned else found, images[f'images{side}'])
    labels = [logits['labels']] if 'labels' in logits else []
    real = logits[f'images{side}']
    found = model.discriminator(real.flip(1) if turned else real, *labels)
    assert_like(found, logits[f'logits{side}'])


@torch.no_grad()
@pytest.mark.parametrize('order', ['rgb', 'bgr'])
@pytest.mark.parametrize('name', ['pix2pix', 'cyclegan'])
def test_each_translator_computes_what_it_did_there(write_mm, io_of, assert_like, name, order):
    domains = ['photo'] if name == 'pix2pix' else ['horse', 'photo']
    networks = {
        f'{kind}s.{domain}': f'mmagic_{name}_{kind}'
        for kind in ('generator', 'discriminator')
        for domain in domains
    }
    model = build(convert_checkpoint(write_mm(networks), channel_order=order))
    io = io_of(f'mmagic_{name}_generator')

    def turned(images):
        pieces = images.split(3, 1)
        return torch.cat([p.flip(1) if order == 'bgr' else p for p in pieces], 1)

    key = 'images_batch_statistics' if name == 'pix2pix' else 'images'
    assert_like(turned(model.translate(turned(io['source']))), io[key])
    io = io_of(f'mmagic_{name}_discriminator')
    judge = model.get_submodule(model.discriminators[-1])
    assert_like(judge(turned(io['images'])), io['logits'])


def test_their_checkpoints_are_told_and_converted(goldens):
    for file, source, kind in (
        ('mmgen_stylegan2', 'mmgeneration', 'GAN'),
        ('mmagic_dcgan', 'mmagic', 'GAN'),
        ('mmagic_pix2pix', 'mmagic', 'Pix2Pix'),
        ('mmagic_cyclegan', 'mmagic', 'CycleGAN'),
    ):
        path = goldens / 'checkpoints' / f'{file}.pth'
        checkpoint = convert_checkpoint(path, channel_order='rgb')
        assert checkpoint['meta']['converted']['source'] == source
        assert checkpoint['meta']['iter'] == 1000
        assert type(build(checkpoint)).__name__ == kind


def test_average_is_taken_with_its_steps(goldens):
    path = goldens / 'checkpoints' / 'mmagic_dcgan.pth'
    checkpoint = convert_checkpoint(path, channel_order='rgb')
    theirs = torch.load(path, weights_only=True)['state_dict']
    model = build(checkpoint)
    assert model.generator_ema.steps == theirs['generator_ema.steps']
    weight = theirs['generator_ema.module.output_layer.conv.weight']
    assert torch.equal(model.generator_ema.module.layers[7].weight, weight)
    assert checkpoint['meta']['converted']['tensors'].endswith(
        '2 dropped (2 the scaling to [-1, 1], which is built in)'
    )


def test_mean_style_that_is_computed_is_said_once(goldens):
    path = goldens / 'checkpoints' / 'mmgen_stylegan2.pth'
    checkpoint = convert_checkpoint(path, channel_order='bgr')
    text = 'The file has no mean style: that of 4,096 latents is taken for truncation.'
    assert checkpoint['meta']['converted']['notes'] == [text]


def test_file_without_the_generator_or_discriminator(write_mm):
    path = write_mm({'generator_ema.module': 'mmagic_dcgan_generator'})
    checkpoint = convert_checkpoint(path, channel_order='rgb')
    assert checkpoint['meta']['converted']['notes'] == [
        'The file has only the average of the generator: training goes on from it.',
        'The file has no discriminator: it starts from random weights.',
    ]
    model = build(checkpoint)
    for name, tensor in model.generator.state_dict().items():
        assert torch.equal(tensor, model.generator_ema.module.state_dict()[name])


def test_order_of_colors_must_be_given(write_mm):
    text = "model = dict(type='DCGAN')\npipeline = [dict(type='Normalize', to_rgb=False)]"
    networks = {'generator': 'mmagic_dcgan_generator'}
    for meta, hint in (({}, ''), (dict(config=text), '; the config in it says bgr')):
        message = (
            'has color images, and is of a project that trains on blue, green, red (bgr) unless '
            f"its config says rgb{hint}. Pass --channel-order bgr, or channel_order='bgr'; rgb for "
            'networks of RGB images.'
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            convert_checkpoint(write_mm(networks, meta))


def test_gray_images_have_no_order(write_mm, state_of):
    state = state_of('mmagic_dcgan_generator')
    state['output_layer.conv.weight'] = state['output_layer.conv.weight'][:, :1]
    state['output_layer.conv.bias'] = state['output_layer.conv.bias'][:1]
    assert build(convert_checkpoint(write_mm(dict(generator=state)))).image_shape == (1, 16, 16)


def test_settings_come_from_the_config_in_the_file(write_mm):
    text = """model = dict(
    type='SNGAN',
    generator=dict(type='SNGANGenerator', norm_eps=1e-3),
    discriminator=dict(type='ProjDiscriminator', downsample_cfg={32: [True, True, False]}),
    ema_config=dict(type='ExponentialMovingAverage', momentum=0.999))
"""
    networks = {
        'generator': 'mmagic_sngan_generator',
        'generator_ema': 'mmagic_sngan_generator',
        'discriminator': 'mmagic_sngan_discriminator',
    }
    with pytest.raises(ValueError, match=r'has 3 tensors with no place in our networks|differ'):
        # A block that halves the size has a layer in its shortcut, which is not in this file.
        convert_checkpoint(write_mm(networks, dict(cfg=text)), channel_order='rgb')
    text = text.replace('[True, True, False]', '[True, False, False]')
    model = build(convert_checkpoint(write_mm(networks, dict(cfg=text)), channel_order='rgb'))
    assert model.generator_ema.momentum == pytest.approx(1e-3)
    plain = build(convert_checkpoint(write_mm(networks), channel_order='rgb'))
    name = 'blocks.0.norm1.norm.running_var'
    ours, theirs = (m.generator.state_dict()[name] for m in (model, plain))
    torch.testing.assert_close(ours, theirs + 1e-3 - 1e-5)


def test_config_that_would_have_to_run_is_said(write_mm):
    path = write_mm(dict(generator='mmagic_dcgan_generator'), dict(config='model = build()'))
    notes = convert_checkpoint(path, channel_order='rgb')['meta']['converted']['notes']
    assert notes[0].startswith("The config in the file is not used: line 1 has 'build()'")


def test_stage_of_pggan_is_kept(write_mm):
    networks = {kind: f'mmagic_pggan_{kind}' for kind in ('generator', 'discriminator')}
    growth = dict(
        shown_nkimg=torch.tensor(3000.0),
        _next_scale_int=torch.tensor(16),
        _curr_scale_int=torch.tensor(16),
        _curr_transition_weight=torch.tensor(0.3),
    )
    checkpoint = convert_checkpoint(write_mm(networks, others=growth), channel_order='rgb')
    generator = build(checkpoint).generator
    assert generator.image_shape == (3, 16, 16)
    assert generator.fade == pytest.approx(0.3)
    assert checkpoint['meta']['converted']['notes'][0].startswith('It has grown to 16x16.')


def test_what_cannot_be_converted_is_named(write_mm, state_of):
    def convert(*args, **kwargs):
        return convert_checkpoint(write_mm(*args, **kwargs), channel_order='bgr')

    networks = dict(generator='mmagic_dcgan_generator')
    with pytest.raises(ValueError, match=r'has images scaled by data_preprocessor.mean=\[0.0\]'):
        convert(networks, others={'data_preprocessor.mean': torch.zeros(1, 1, 1)})
    with pytest.raises(ValueError, match=r'has 1 tensors with no place in our networks, such as x'):
        convert(networks, others={'x.weight': torch.zeros(1)})
    state = state_of('mmagic_dcgan_generator')
    del state['upsampling.0.bn.bias']
    with pytest.raises(ValueError, match=r'1 tensors differ, such as generator.layers.5.bias'):
        convert(dict(generator=state))
    del state['output_layer.conv.weight']
    with pytest.raises(ValueError, match=r"must have the tensor 'generator.output_layer.conv.wei"):
        convert(dict(generator=state))
    meta = dict(mmgen_version='0.7.3', config="model = dict(generator=dict(type='StyleGANv1'))")
    with pytest.raises(ValueError, match=r'generator that is not supported: a StyleGANv1\. Pass a'):
        convert(dict(generator={'mapping.0.weight': torch.zeros(1)}), meta)
    networks = {f'generators.{domain}': 'mmagic_cyclegan_generator' for domain in 'abc'}
    with pytest.raises(ValueError, match=r'has generators of 3 domains: a, b, c\. Pass a pix2pix'):
        convert(networks)
    state = state_of('mmagic_cyclegan_generator')
    shorter = {name: t for name, t in state.items() if not name.startswith('model.5.')}
    with pytest.raises(ValueError, match=r'has generators or .* of b and a that differ'):
        convert({'generators.a': state, 'generators.b': shorter})


def test_directions_follow_the_config(write_mm):
    networks = {f'generators.{domain}': 'mmagic_cyclegan_generator' for domain in ('a', 'b')}
    for meta, target in (({}, 'b'), (dict(cfg="model = dict(default_domain='a')"), 'a')):
        checkpoint = convert_checkpoint(write_mm(networks, meta), channel_order='rgb')
        source = 'ab'.replace(target, '')
        note = f"'a2b' translates from {source!r} to {target!r}, 'b2a' back."
        assert note in checkpoint['meta']['converted']['notes']
        assert 'The file has no discriminator_a' in checkpoint['meta']['converted']['notes'][-1]
