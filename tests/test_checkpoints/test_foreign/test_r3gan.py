"""R3GAN in the pickles of its authors."""

import pytest
import torch

from mmgan_lite.checkpoints.foreign import convert_checkpoint
from mmgan_lite.inference import load_model

GENERATOR = {'': 'Generator', 'Model': 'Generator'}


@pytest.fixture
def make(tree, plain):
    """A network of tensors by name; stages in which lower precision is used."""

    def make(state, bfloat16=()):
        stages = {f'Model.MainLayers.{n}': dict(DataType=torch.bfloat16) for n in bfloat16}
        return plain(tree.of(state, GENERATOR, **stages))

    return make


@torch.no_grad()
@pytest.mark.parametrize('kind', ['uncond', 'cond'])
def test_computes_what_the_authors_do(golden, make, write_pickle, assert_like, kind):
    generator, of_generator, _ = golden(f'r3gan_generator_{kind}')
    discriminator, of_discriminator, _ = golden(f'r3gan_discriminator_{kind}')
    content = dict(G=make(generator), D=make(discriminator), G_ema=make(generator), cur_nimg=1000)
    path = write_pickle(content)
    gan = load_model(None, path, False).model
    for network in (gan.generator, gan.generator_ema):
        images = network(of_generator['latents'], of_generator.get('labels'))
        assert_like(images, of_generator['images'])
    logits = gan.discriminator(of_discriminator['images'], of_discriminator.get('labels'))
    assert_like(logits, of_discriminator['logits'])
    converted = convert_checkpoint(path)['meta']['converted']
    assert converted['source'] == 'r3gan'
    note = 'It was trained on 1,000 images; schedules and optimizers start anew.'
    assert converted['notes'] == [note]


def block(width, inner, groups):
    return {
        'LinearLayer1.Layer.weight': (inner, width, 1, 1),
        'NonLinearity1.Bias': (inner,),
        'LinearLayer2.Layer.weight': (inner, inner // groups, 3, 3),
        'NonLinearity2.Bias': (inner,),
        'LinearLayer3.Layer.weight': (width, inner, 1, 1),
    }


@pytest.fixture
def tiny():
    """A generator for 8x8 images, of two widths, three times as wide inside."""
    shapes = {
        'Model.MainLayers.0.Layers.0.Basis': (8, 4, 4),
        'Model.MainLayers.0.Layers.0.LinearLayer.weight': (8, 5),
        'Model.MainLayers.1.Layers.0.LinearLayer.Layer.weight': (4, 8, 1, 1),
        'Model.AggregationLayer.Layer.weight': (1, 4, 1, 1),
    }
    for place, (width, groups) in {
        '0.Layers.1': (8, 6),
        '0.Layers.2': (8, 6),
        '1.Layers.1': (4, 3),
    }.items():
        found = block(width, 3 * width, groups)
        shapes |= {f'Model.MainLayers.{place}.{name}': shape for name, shape in found.items()}
    return {name: torch.randn(shape) for name, shape in shapes.items()}


def test_arguments_are_told_by_the_shapes(make, tiny, write_pickle):
    optimizer = dict(state={0: dict(exp_avg=torch.ones(3))})
    path = write_pickle(dict(G_ema=make(tiny, bfloat16=[1]), G_opt_state=optimizer))
    loaded = load_model(None, path, False)
    assert loaded.cfg['model']['generator'] == dict(
        type='mmgan_lite.R3GANGenerator',
        latent_dim=5,
        image_shape=(1, 8, 8),
        channels=(8, 4),
        blocks_per_stage=(2, 1),
        cardinality=(6, 3),
        expansion=3,
        num_classes=None,
        embedding_dim=64,
    ) | dict(type=loaded.cfg['model']['generator']['type'])
    assert loaded.model.discriminator(loaded.model.sample(2)).shape == (2,)
    converted = convert_checkpoint(path)['meta']['converted']
    assert converted['notes'] == [
        'Its largest sizes computed in lower precision, here in float32.',
        'The file has no G: the generator starts as its average.',
        'The file has no discriminator: it starts from random weights.',
    ]
    assert '1 of G_opt_state, which starts anew' in converted['tensors']


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'Model.Other.weight': torch.ones(1)},
            r'no place in our networks, such as G_ema.Model.Oth',
        ),
        ({'Model.AggregationLayer.Layer.weight': None}, r'must have the tensor \S*Aggregation'),
        (
            {f'Model.MainLayers.1.Layers.1.{k}': None for k in block(1, 1, 1)},
            r'no block in stage 1',
        ),
        (
            {'Model.MainLayers.1.Layers.1.LinearLayer1.Layer.weight': torch.ones(8, 4, 1, 1)},
            r'has blocks of several expansions',
        ),
        (
            {'Model.MainLayers.0.Layers.2.NonLinearity1.Bias': None},
            r'must make all of our network, but 2 tensors differ, such as generator.layers.1',
        ),
        (
            {'Model.MainLayers.1.Layers.0.Resampler.Kernel': torch.ones(2, 2)},
            r'no place in our networks, such as \S*Resampler.Kernel',
        ),
    ],
)
def test_other_architectures_are_refused(make, tiny, write_pickle, change, message):
    state = {name: tensor for name, tensor in (tiny | change).items() if tensor is not None}
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(write_pickle(dict(G_ema=make(state))))


@torch.no_grad()
def test_authors_container(shared_file, golden, assert_like):
    gan = load_model(None, shared_file('r3gan.pkl'), False).model
    _, io, _ = golden('r3gan_generator_cond', shared=True)
    assert_like(gan.generator_ema(io['latents'], io['labels']), io['images'])
    _, io, _ = golden('r3gan_discriminator_cond', shared=True)
    assert_like(gan.discriminator(io['images'], io['labels']), io['logits'])
