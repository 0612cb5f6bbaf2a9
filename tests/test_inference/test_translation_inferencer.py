"""Translating by a checkpoint, by a published file, and by nothing else."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

import mmgan_lite
from mmgan_lite.inference import GANInferencer, TranslationInferencer, load_model
from mmgan_lite.registry import INFERENCERS, MODELS

RESNET = dict(type='ResNetTranslator', base_channels=2, num_blocks=1)
PATCHES = dict(type='PatchDiscriminator', base_channels=2, num_layers=1)
LOSS = dict(type='LeastSquaresGANLoss')
CYCLEGAN = dict(
    type='CycleGAN',
    generator=RESNET,
    discriminator=PATCHES,
    loss=LOSS,
    pool_size=3,
    ema=dict(type='ExponentialMovingAverage'),
)
PIX2PIX = dict(
    type='Pix2Pix',
    generator=dict(type='UNetTranslator', base_channels=2, levels=6),
    discriminator=dict(PATCHES, in_channels=6),
    loss=LOSS,
    test_statistics='batch',
)
CUT = dict(type='CUT', generator=RESNET, discriminator=PATCHES, loss=LOSS, layers=(0, 4))
GAN = dict(
    type='GAN',
    generator=dict(type='MLPGenerator', latent_dim=3, image_shape=(1, 2, 2)),
    discriminator=dict(type='MLPDiscriminator', image_shape=(1, 2, 2)),
    loss=LOSS,
)


@pytest.fixture
def write(tmp_path):
    """Writes a checkpoint as training does; gives its path and the model."""

    def write(config):
        torch.manual_seed(0)
        model = MODELS.build(config)
        for name, weight in model.named_parameters():
            if 'ema' not in name:
                weight.data *= 1.5  # the average is another network
        meta = dict(cfg=Config(dict(model=config)).pretty_text, iter=7, experiment_name='tiny')
        path = tmp_path / f'{config["type"].lower()}.pth'
        torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
        return path, model

    return write


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


def by_hand(network, pixels):
    """uint8 ``(C, H, W)`` of a network in eval mode."""
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        return ((network.eval()(images)[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def test_both_directions_and_both_weights(write, pixels):
    path, model = write(CYCLEGAN)
    inferencer = TranslationInferencer(weights=path, device='cpu')
    assert inferencer.info == dict(iteration=7, name='tiny')
    found = []
    for domain in ('a2b', 'b2a'):
        for name in (f'generator_{domain}_ema.module', f'generator_{domain}'):
            result = inferencer(pixels, domain, use_ema='ema' in name)
            (image,) = result['predictions']['images']
            difference = image.int() - by_hand(model.get_submodule(name), pixels).int()
            assert difference.abs().max() <= 1
            found.append(image)
    assert len({image.numpy().tobytes() for image in found}) == 4
    assert torch.equal(inferencer(pixels)['predictions']['images'][0], found[0])


def test_result(write, pixels, tmp_path):
    inferencer = TranslationInferencer(weights=write(CUT)[0], device='cpu')
    Image.fromarray(pixels).save(tmp_path / 'one.png')
    (tmp_path / 'broken.png').touch()
    inputs = [tmp_path / 'one.png', tmp_path / 'broken.png', pixels[:9, :, 0]]
    result = inferencer(inputs, batch_size=2)
    predictions = result['predictions']
    assert predictions['names'] == ['one.png', '2']
    assert predictions['unreadable'] == {'broken.png': 'no image'}
    first, second = predictions['images']
    assert (first.shape, second.shape) == ((3, 16, 24), (3, 9, 24))
    assert first.dtype == torch.uint8
    beside = np.concatenate([pixels, first.permute(1, 2, 0).numpy()], axis=1)
    assert np.array_equal(result['visualization'][0], beside)
    assert result['visualization'][1].shape == (9, 48, 3)
    elements = inferencer(inputs, return_datasamples=True)['predictions']
    assert torch.equal(elements[0].fake_image, first)
    assert [element.name for element in elements] == predictions['names']
    with pytest.raises(ValueError, match=r'can be read, got none: broken.png \(no image\)\.'):
        inferencer(tmp_path / 'broken.png')


def test_statistics_are_those_of_the_checkpoint(write, pixels):
    path, model = write(PIX2PIX)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    inferencer = TranslationInferencer(weights=path, device='cpu')
    assert inferencer.model.test_statistics == 'batch'
    square = np.concatenate([pixels] * 4)[:64, [*range(24)] * 3][:, :64]
    images = torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        expected = model.generator.train()(images)[0]
    for module in inferencer.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    (image,) = inferencer(square)['predictions']['images']
    assert (image - (expected + 1) * 127.5).abs().max() <= 0.51


@pytest.mark.parametrize('config', [CYCLEGAN, PIX2PIX, CUT], ids=lambda config: config['type'])
@pytest.mark.parametrize('use_ema', [True, False])
def test_published_file_translates_the_same(write, pixels, tmp_path, config, use_ema):
    path, model = write(config)
    inferencer = TranslationInferencer(weights=path, device='cpu')
    file = inferencer.publish(tmp_path / 'published', use_ema=use_ema)
    assert file.name.startswith('tiny_iter-7-')
    networks = {name.partition('.')[0] for name in load_file(file)}
    assert networks == set(model.generators)
    published = TranslationInferencer(weights=file, device='cpu')
    for domain in model.domains:
        expected = inferencer(pixels, domain, use_ema)['predictions']['images'][0]
        found = published(pixels, domain, published.info['weights'] != 'last')
        assert torch.equal(found['predictions']['images'][0], expected)
    assert published.model.domains == model.domains
    assert published.model.test_statistics == config.get('test_statistics', 'running')
    with safe_open(file, 'pt') as content:
        info = json.loads(content.metadata()['mmgan_lite'])
    assert 'discriminator' not in str(info)
    assert info['weights'] == ('ema' if use_ema and 'ema' in config else 'last')
    with pytest.raises(ValueError, match='or a generator that is published'):
        published.publish(tmp_path)


def test_published_average_has_no_other_weights(write, pixels, tmp_path):
    inferencer = TranslationInferencer(weights=write(CYCLEGAN)[0], device='cpu')
    published = TranslationInferencer(weights=inferencer.publish(tmp_path), device='cpu')
    with pytest.raises(ValueError, match='use_ema must be True'):
        published(pixels, use_ema=False)


def test_a_model_for_another_purpose(write, tmp_path):
    """A checkpoint, a published file, a config and a model; the right command is named."""
    gan, _ = write(GAN)
    cyclegan, model = write(CYCLEGAN)
    drawing = r'got a GAN, which draws images from latents. Use mmgan-lite sample, or GANInfer'
    files = [gan, GANInferencer(weights=gan, device='cpu').publish(tmp_path)]
    for given in (*[dict(weights=file) for file in files], dict(model='gan_mlp_digits-28x28')):
        with pytest.raises(ValueError, match=f'model must be one that translates.*{drawing}'):
            TranslationInferencer(**given)
    published = TranslationInferencer(weights=cyclegan, device='cpu').publish(tmp_path)
    for given, name in (
        (dict(weights=cyclegan), 'CycleGAN'),
        (dict(weights=published), 'PublishedTranslator'),
        (dict(model=model), 'CycleGAN'),
    ):
        translating = f'got a {name}, which translates images. Use mmgan-lite translate, or Trans'
        with pytest.raises(ValueError, match=f'model must be one that draws.*{translating}'):
            GANInferencer(**given)
    assert type(load_model(None, cyclegan, False).model).__name__ == 'CycleGAN'


def test_interface():
    assert mmgan_lite.TranslationInferencer is TranslationInferencer
    assert INFERENCERS.get('mmgan_lite.TranslationInferencer') is TranslationInferencer
    assert issubclass(TranslationInferencer, BaseInferencer)
    assert 'gan_mlp_digits-28x28' in TranslationInferencer.list_models('*mlp_digits-28x28')
    with pytest.warns(UserWarning, match='untrained model'):
        TranslationInferencer(dict(model=CUT), device='cpu')
