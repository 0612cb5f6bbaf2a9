"""BigGAN in the files of its authors; MMagic's has the same layers by other names."""

import re

import pytest
import torch

from mmgan_lite.checkpoints.foreign import convert_checkpoint
from mmgan_lite.inference import GANInferencer, load_model

GENERATOR = [
    (r'^shared_embedding', 'shared'),
    (r'^noise2feat', 'linear'),
    (r'^conv_blocks\.(\d)\.(conv\d|bn\d)\.', r'blocks.\1.0.\2.'),
    (r'^conv_blocks\.(\d)\.shortcut\.conv', r'blocks.\1.0.conv_sc'),
    (r'(conv\d)\.conv', r'\1'),
    (r'^output_layer\.conv', 'output_layer.2'),
    (r'^output_layer\.bn\.weight', 'output_layer.0.gain'),
    (r'^output_layer\.bn\.bias', 'output_layer.0.bias'),
    (r'^output_layer\.bn\.running', 'output_layer.0.stored'),
    (r'(bn\d)\.bn\.running', r'\1.stored'),
]
DISCRIMINATOR = [
    (r'^conv_blocks\.(\d)\.shortcut\.conv', r'blocks.\1.0.conv_sc'),
    (r'^conv_blocks\.(\d)\.(conv\d)\.conv', r'blocks.\1.0.\2'),
    (r'^decision', 'linear'),
    (r'^proj_y', 'embed'),
]


def renamed(state, rules):
    found = {}
    for name, tensor in state.items():
        for pattern, theirs in rules:
            name = re.sub(pattern, theirs, name)
        if 'num_batches_tracked' not in name:
            found[name] = tensor
    return found


@pytest.fixture
def generator(golden):
    state, io, _ = golden('mmagic_biggan_generator')
    return renamed(state, GENERATOR), io


@torch.no_grad()
def test_computes_what_mmagic_does(generator, golden, tmp_path, assert_like):
    state, io = generator
    torch.save(state, tmp_path / 'G_ema_best0.pth')
    torch.save({k: torch.zeros_like(v) for k, v in state.items()}, tmp_path / 'G_best0.pth')
    judge, of_judge, _ = golden('mmagic_biggan_discriminator')
    torch.save(renamed(judge, DISCRIMINATOR), tmp_path / 'D_best0.pth')
    path = tmp_path / 'G_ema_best0.pth'
    gan = load_model(None, path, False).model.eval()
    assert_like(gan.generator_ema(io['latents'], io['labels']), io['images'])
    assert not gan.generator.label_embedding.weight.any()
    assert_like(gan.discriminator(of_judge['images'], of_judge['labels']), of_judge['logits'])
    converted = convert_checkpoint(path)['meta']['converted']
    assert (converted['source'], converted['notes']) == ('biggan', [])
    assert 'singular values, which are computed' in converted['tensors']


@torch.no_grad()
def test_generator_alone(generator, tmp_path, assert_like):
    state, io = generator
    torch.save(state, tmp_path / 'biggan.pth')
    path = tmp_path / 'biggan.pth'
    gan = GANInferencer(weights=path, device='cpu').model
    assert_like(gan.sample(6, labels=io['labels'], latents=io['latents']), io['images'])
    assert convert_checkpoint(path)['meta']['converted']['notes'] == [
        'There is no G_ema beside it: it starts as what the file has.',
        'The file has no discriminator: it starts from random weights.',
    ]


@torch.no_grad()
def test_attention_and_no_shared_vector(tmp_path):
    """Each norm has an embedding of its own; without spectral norm; attention in both."""
    shapes = {'linear.weight': (4 * 16, 5), 'linear.bias': (64,)}
    for number, (inputs, outputs) in enumerate([(4, 4), (4, 8)]):
        place = f'blocks.{number}.0'
        shapes |= {
            f'{place}.conv1.weight': (outputs, inputs, 3, 3),
            f'{place}.conv1.bias': (outputs,),
        }
        shapes |= {
            f'{place}.conv2.weight': (outputs, outputs, 3, 3),
            f'{place}.conv2.bias': (outputs,),
        }
        shapes |= {
            f'{place}.conv_sc.weight': (outputs, inputs, 1, 1),
            f'{place}.conv_sc.bias': (outputs,),
        }
        for norm, width in ((1, inputs), (2, outputs)):
            bn = f'{place}.bn{norm}'
            shapes |= {f'{bn}.gain.weight': (3, width), f'{bn}.bias.weight': (3, width)}
            shapes |= {f'{bn}.bn.stored_mean': (width,), f'{bn}.bn.stored_var': (width,)}
            shapes[f'{bn}.bn.accumulation_counter'] = (1,)
    for name, shape in dict(theta=(1, 8), phi=(1, 8), g=(4, 8), o=(8, 4)).items():
        shapes[f'blocks.1.1.{name}.weight'] = (*shape, 1, 1)
    shapes |= {'blocks.1.1.gamma': (), 'output_layer.0.gain': (8,), 'output_layer.0.bias': (8,)}
    shapes |= {'output_layer.0.stored_mean': (8,), 'output_layer.0.stored_var': (8,)}
    shapes |= {'output_layer.2.weight': (3, 8, 3, 3), 'output_layer.2.bias': (3,)}
    torch.save({name: torch.rand(shape) for name, shape in shapes.items()}, tmp_path / 'G.pth')
    loaded = load_model(None, tmp_path / 'G.pth', False)
    config = loaded.cfg['model']['generator']
    assert config['channels'] == (4, 4, 8)
    assert (config['shared_dim'], config['split_latents'], config['spectral_norm']) == (
        None,
        False,
        False,
    )
    assert (config['attention'], config['image_shape']) == ((2,), (3, 16, 16))
    assert loaded.model.eval().sample(2, labels=[0, 2]).isfinite().all()


def test_the_deep_one_is_refused(generator, tmp_path):
    state, _ = generator
    state = state | {'blocks.0.0.conv3.weight': torch.ones(1)}
    torch.save(state, tmp_path / 'G.pth')
    with pytest.raises(ValueError, match=r'no place in our networks, such as blocks.0.0.conv3.wei'):
        convert_checkpoint(tmp_path / 'G.pth')
