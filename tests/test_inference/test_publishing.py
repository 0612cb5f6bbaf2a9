"""A published generator is whole, itself, and draws what the model drew."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save, save_file

from mmgan_lite.inference import draw_images, publish_generator, read_published
from mmgan_lite.inference.publishing import _digest
from mmgan_lite.models import GAN, CycleGAN
from mmgan_lite.registry import MODELS


def config(num_classes=3, **parts):
    networks = dict(image_shape=(1, 4, 4), num_classes=num_classes)
    generator = dict(type='MLPGenerator', latent_dim=6, hidden_dims=(8, 8), **networks)
    discriminator = dict(type='MLPDiscriminator', hidden_dims=(8,), **networks)
    loss = dict(type='NonSaturatingGANLoss')
    ema = dict(type='ExponentialMovingAverage')
    return {**dict(generator=generator, discriminator=discriminator, loss=loss, ema=ema), **parts}


@pytest.fixture
def gan():
    gan = GAN(**config())
    gan.generator.layers[-2].bias.data += 0.3  # the average is another generator
    return gan


@pytest.fixture
def published(gan, tmp_path):
    return publish_generator(gan, config(), tmp_path / 'new', 'digits', 12, ['a', 'b', 'c'])


def rewrite(path, change, name='renamed.safetensors'):
    """The file with its JSON and tensors changed, under a name without a hash."""
    with safe_open(path, 'pt') as file:
        info = json.loads(file.metadata()['mmgan_lite'])
    state = load_file(path)
    change(info, state)
    path.with_name(name).write_bytes(save(state, {'mmgan_lite': json.dumps(info)}))
    return path.with_name(name)


def test_name_tells_the_hash(published):
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert published.name == f'digits_iter-12-{digest[:8]}.safetensors'
    assert list(published.parent.iterdir()) == [published]


def test_same_generator_same_file(gan, published, tmp_path):
    again = publish_generator(gan, config(), tmp_path, 'digits', 12, ['a', 'b', 'c'])
    assert again.name == published.name


def test_average_alone_is_inside(gan, published):
    state = load_file(published)
    expected = gan.generator_ema.module.state_dict(prefix='generator.')
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


def test_images_are_equal_to_the_bit(gan, published):
    model, info = read_published(published, 'cpu')
    assert not model.training
    images, labels = draw_images(gan, 70, seed=3)
    found, found_labels = draw_images(model, 70, seed=3)
    assert torch.equal(found, images)
    assert torch.equal(found_labels, labels)
    assert not torch.equal(found, draw_images(gan, 70, seed=3, use_ema=False)[0])
    assert info['weights'] == 'ema'


def test_last_weights(gan, tmp_path):
    path = publish_generator(gan, config(), tmp_path, use_ema=False)
    assert path.name.startswith('generator-')
    model, info = read_published(path, 'cpu')
    assert info['weights'] == 'last'
    assert torch.equal(draw_images(model, 9)[0], draw_images(gan, 9, use_ema=False)[0])


def test_model_without_average(tmp_path):
    plain = config(ema=None, latents=dict(type='UniformLatents'))
    gan = GAN(**plain)
    model, info = read_published(publish_generator(gan, plain, tmp_path), 'cpu')
    assert info['weights'] == 'last'
    assert torch.equal(draw_images(model, 9)[0], draw_images(gan, 9)[0])


@MODELS.register_module()
class HalfNormalLatents:
    """Latents of a user, which are no module."""

    def __call__(self, num, dim, generator=None, device=None):
        source = device if generator is None else generator.device
        return torch.randn(num, dim, generator=generator, device=source).abs().to(device)


def test_latents_that_are_no_module(tmp_path):
    latents = dict(type='HalfNormalLatents')
    gan = GAN(**config(latents=latents))
    path = publish_generator(gan, config(latents=latents), tmp_path)
    expected, _ = draw_images(gan, 4, seed=3)
    assert torch.equal(draw_images(read_published(path, 'cpu').model, 4, seed=3)[0], expected)


def test_what_the_file_tells(published):
    info = read_published(published, 'cpu').info
    assert info['model'] == dict(
        generator=dict(
            type='MLPGenerator',
            latent_dim=6,
            hidden_dims=[8, 8],
            image_shape=[1, 4, 4],
            num_classes=3,
        )
    )
    assert (info['name'], info['iteration'], info['classes']) == ('digits', 12, ['a', 'b', 'c'])
    assert info['image_range'] == [-1, 1]
    assert info['versions'].keys() == {'mmgan_lite', 'mmengine', 'torch'}


def test_convolutions_in_channels_last(tmp_path):
    shape = dict(image_shape=(1, 8, 8), base_channels=4)
    parts = config(
        generator=dict(type='DCGANGenerator', latent_dim=4, **shape),
        discriminator=dict(type='DCGANDiscriminator', **shape),
        channels_last=True,
    )
    gan = GAN(**parts)
    model = read_published(publish_generator(gan, parts, tmp_path), 'cpu').model
    assert torch.equal(draw_images(model, 65)[0], draw_images(gan, 65)[0])


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r'weights must be a file, but .* is none'):
        read_published(tmp_path / 'x.safetensors')


@pytest.mark.parametrize('damage', [lambda b: b[:-7], lambda b: b[:-1] + b'?', lambda b: b[:5]])
def test_file_whose_hash_is_not_that_of_its_name(published, damage):
    published.write_bytes(damage(published.read_bytes()))
    with pytest.raises(ValueError, match=r'must have the hash in its name, [0-9a-f]{8}, '):
        read_published(published)


def test_hash_counts_in_the_name_of_a_second_download(published):
    copy = published.with_name(f'{published.stem} (1).safetensors')
    copy.write_bytes(published.read_bytes())
    assert read_published(copy, 'cpu').info['iteration'] == 12
    copy.write_bytes(published.read_bytes()[:-1] + b'?')
    with pytest.raises(ValueError, match=r'must have the hash'):
        read_published(copy)


@pytest.mark.parametrize('content', [b'', b'12345678', b'\xff' * 100])
def test_renamed_file_that_is_cut_off(published, content):
    renamed = published.with_name('renamed.safetensors')
    for bad in (content, published.read_bytes()[:-1]):
        renamed.write_bytes(bad)
        with pytest.raises(ValueError, match=r'is not a complete safetensors file'):
            read_published(renamed)


def test_renamed_file_that_is_altered(published):
    renamed = published.with_name('renamed.safetensors')
    renamed.write_bytes(published.read_bytes())
    assert read_published(renamed, 'cpu').info['iteration'] == 12

    def other_weight(info, state):
        state['generator.layers.0.bias'][0] += 1

    def other_classes(info, state):
        info['classes'] = ['c', 'b', 'a']

    for change in (other_weight, other_classes, lambda info, _: info.pop('digest')):
        with pytest.raises(ValueError, match=r'was altered: the hash in it'):
            read_published(rewrite(published, change))


def resealed(path, change):
    """As :func:`rewrite`, by somebody who knows how the hash is made."""

    def seal(info, state):
        info.pop('digest')
        change(info, state)
        info['digest'] = _digest(info, state)

    return rewrite(path, seal)


def test_file_of_others_runs_nothing(published):
    def attack(info, state):
        info['model']['latents'] = dict(type='os.system', command='touch written')

    with pytest.raises(ValueError, match=r"a part 'os.system' that is not registered"):
        read_published(resealed(published, attack))


def test_file_of_others_that_translates_runs_nothing(tmp_path):
    parts = dict(
        generator=dict(type='ResNetTranslator', base_channels=2, num_blocks=1),
        discriminator=dict(type='PatchDiscriminator', base_channels=2, num_layers=1),
        loss=dict(type='LeastSquaresGANLoss'),
    )
    path = publish_generator(CycleGAN(**parts), parts, tmp_path)

    def attack(info, state):
        info['model']['generators']['generator_b2a'] = dict(type='os.system', command='touch it')

    with pytest.raises(ValueError, match=r"a part 'os.system' that is not registered"):
        read_published(resealed(path, attack))


def test_weights_of_another_generator(published):
    def wider(info, state):
        info['model']['generator']['hidden_dims'] = [9, 8]

    with pytest.raises(
        ValueError, match=r'generator.layers.0.weight \(\(8, 9\) in the file, \(9, 9\) in the model'
    ):
        read_published(resealed(published, wider))


def test_newer_format_and_other_content(published):
    with pytest.raises(ValueError, match=r'must be of format 1, got 2: update mmgan_lite'):
        read_published(resealed(published, lambda info, _: info.update(format=2)))
    with pytest.raises(ValueError, match=r'has no generator in its header'):
        read_published(resealed(published, lambda info, _: info.pop('model')))
    other = published.with_name('other.safetensors')
    save_file(dict(x=torch.ones(2)), other)
    with pytest.raises(ValueError, match=r'must be a file of mmgan-lite publish-model, but'):
        read_published(other)


def test_broken_weights_are_not_published(gan, tmp_path):
    gan.generator_ema.module.layers[0].weight.data[0, 0] = float('nan')
    with pytest.raises(ValueError, match=r'1 tensors are not, such as generator.layers.0.weight'):
        publish_generator(gan, config(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_model_that_draws_otherwise_is_not_published(gan, tmp_path):
    class Inverting(GAN):
        def sample(self, *args, **kwargs):
            return -super().sample(*args, **kwargs)

    gan.__class__ = Inverting
    with pytest.raises(ValueError, match=r'the same images alone as in its Inverting'):
        publish_generator(gan, config(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_config_that_is_no_json(gan, tmp_path):
    parts = config(latents=gan.latents)
    with pytest.raises(ValueError, match=r'numbers, strings, lists and dicts .* holds NormalL'):
        publish_generator(gan, parts, tmp_path)


def test_file_is_no_pickle(published):
    content = published.read_bytes()
    assert content[8:9] == b'{'
    assert load(content).keys()
