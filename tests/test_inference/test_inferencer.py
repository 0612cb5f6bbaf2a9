"""Drawing from a checkpoint, and interpolation between images."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.infer import BaseInferencer
from mmengine.registry import INFERENCERS as ROOT
from torch import nn

import mmgan_lite
from mmgan_lite.inference import GANInferencer, draw_images, slerp
from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS

NAMES = ('zero', 'one', 'two')


def config(num_classes=3, **parts):
    networks = dict(image_shape=(1, 4, 4), num_classes=num_classes)
    model = dict(
        type='GAN',
        generator=dict(type='MLPGenerator', latent_dim=6, hidden_dims=(8, 8), **networks),
        discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,), **networks),
        loss=dict(type='NonSaturatingGANLoss'),
        ema=dict(type='ExponentialMovingAverage'),
    )
    return Config(dict(model={**model, **parts}, default_scope='mmgan_lite'))


def write(path, num_classes=3, **meta):
    """A checkpoint as training writes it; returns its path and the model."""
    torch.manual_seed(1)
    cfg = config(num_classes)
    gan = GAN(**{key: value for key, value in cfg.model.items() if key != 'type'})
    gan.generator.layers[-2].bias.data += 0.3
    gan.generator.label_embedding and gan.generator_ema.module.label_embedding.weight.data.mul_(3)
    saved = dict(
        cfg=cfg.pretty_text,
        iter=7,
        experiment_name='tiny_20260102_030405',
        dataset_meta=dict(classes=NAMES),
    )
    torch.save(dict(state_dict=gan.state_dict(), meta={**saved, **meta}), path)
    return path, gan


@pytest.fixture
def checkpoint(tmp_path):
    return write(tmp_path / 'iter_7.pth')[0]


@pytest.fixture
def inferencer(checkpoint):
    return GANInferencer(weights=checkpoint, device='cpu')


@pytest.fixture
def unconditional(tmp_path):
    return GANInferencer(weights=write(tmp_path / 'u.pth', None)[0], device='cpu')


def test_checkpoint_alone_draws_what_its_model_draws(tmp_path):
    path, gan = write(tmp_path / 'iter_7.pth')
    inferencer = GANInferencer(weights=path)
    assert not inferencer.model.training
    assert inferencer.classes == NAMES
    assert inferencer.info == dict(iteration=7, name='tiny')
    for use_ema in (True, False):
        found = inferencer(70, seed=4, truncation=0.5, use_ema=use_ema)['predictions']
        images, labels = draw_images(gan, 70, seed=4, use_ema=use_ema, truncation=0.5)
        assert torch.equal(found['images'], images)
        assert torch.equal(found['labels'], labels)


def test_contract_of_mmengine(checkpoint):
    inferencer = ROOT.build(dict(type='mmgan_lite.GANInferencer', weights=str(checkpoint)))
    assert isinstance(inferencer, BaseInferencer)
    result = inferencer()
    assert result.keys() == {'predictions', 'visualization'}
    assert result['predictions']['images'].shape == (16, 1, 4, 4)
    assert result['visualization'].shape == (4 * 6 + 2, 4 * 6 + 2, 3)
    inputs = inferencer.preprocess(2, labels=1)
    images = inferencer.forward(inputs)
    assert images.dtype == torch.uint8
    assert inferencer.visualize(inputs, images).dtype == np.uint8
    elements = inferencer(2, labels=[2, 0], return_datasamples=True)['predictions']
    assert [int(element.gt_label) for element in elements] == [2, 0]
    assert elements[1].fake_image.shape == (1, 4, 4)
    assert 'gan_mlp_digits-28x28' in GANInferencer.list_models('gan_*')


def test_config_by_name_path_and_object(checkpoint, tmp_path):
    config().dump(tmp_path / 'config.py')
    alone = GANInferencer(weights=checkpoint)(5)['predictions']['images']
    for cfg in (str(tmp_path / 'config.py'), tmp_path / 'config.py', config(), dict(config())):
        images = GANInferencer(cfg, checkpoint)(5)['predictions']['images']
        assert torch.equal(images, alone)
    with pytest.warns(UserWarning, match=r'images are those of an untrained model'):
        untrained = GANInferencer('gan_mlp_digits-28x28')
    assert untrained(2)['predictions']['images'].shape == (2, 1, 28, 28)
    with pytest.raises(ValueError, match=r'weights of a training must be given to be published'):
        untrained.publish(tmp_path)


def test_model_that_is_built(make_gan, checkpoint):
    gan = make_gan(num_classes=3)
    assert torch.equal(GANInferencer(gan)(3)['predictions']['images'], draw_images(gan, 3)[0])
    with pytest.raises(ValueError, match=r'checkpoint must be of the model in the config'):
        GANInferencer(gan, checkpoint)


def test_labels_by_number_name_and_array(inferencer):
    for labels in ([2, 0], ['two', 'zero'], np.array([2, 0]), torch.tensor([2, 0]), (2, 'zero')):
        assert inferencer(3, labels)['predictions']['labels'].tolist() == [2, 0, 2]
    assert inferencer(2, 1)['predictions']['labels'].tolist() == [1, 1]
    assert inferencer(2, 'one')['predictions']['labels'].tolist() == [1, 1]
    # One column a class, and a square where there is one class.
    assert inferencer(8, [2, 0])['visualization'].shape == (4 * 6 + 2, 2 * 6 + 2, 3)
    assert inferencer(9, [1])['visualization'].shape == (3 * 6 + 2, 3 * 6 + 2, 3)


def test_interpolation_goes_through_the_images_of_the_seed(inferencer):
    samples = inferencer(6, seed=2)['predictions']
    result = inferencer.interpolate(points=(5, 0, 3), steps=4, seed=2)
    images = result['predictions']['images']
    assert images.shape == (9, 1, 1, 4, 4)
    assert torch.equal(images[::4, 0], samples['images'][[5, 0, 3]])
    labels = samples['labels'][[5, 0, 3]]
    assert torch.equal(result['predictions']['labels'][::4, 0], labels)
    start, end = samples['latents'][5], samples['latents'][0]
    torch.testing.assert_close(result['predictions']['latents'][1, 0], slerp(start, end, 0.25))
    assert len(result['frames']) == 9
    assert result['visualization'].shape == (2 * 6 + 2, 5 * 6 + 2, 3)


def test_interpolation_of_chosen_classes_and_methods(inferencer, unconditional):
    result = inferencer.interpolate((0, 1), 2, labels=['two', 0], loop=True)['predictions']
    assert result['labels'].tolist() == [[2, 0]] * 5
    assert torch.equal(result['images'][0], result['images'][-1])
    sample = inferencer(2, labels=[2])['predictions']['images']
    assert torch.equal(result['images'][2, 0], sample[1])
    straight = unconditional.interpolate((0, 1), 2, method='lerp')['predictions']
    assert straight['labels'] is None
    latents = unconditional(2)['predictions']['latents']
    torch.testing.assert_close(straight['latents'][1, 0], latents.mean(dim=0))


@pytest.mark.parametrize('loop', [False, True])
def test_morph_goes_through_the_classes(inferencer, loop):
    result = inferencer.morph(['two', 'zero'], num=40, steps=2, loop=loop)  # more than one chunk
    images, labels = result['predictions']['images'], result['predictions']['labels']
    assert images.shape == (5 if loop else 3, 40, 1, 4, 4)
    for frame, label in enumerate([2, None, 0, None, 2][: len(images)]):
        if label is not None:
            plain = inferencer(40, labels=label)['predictions']['images']
            assert torch.equal(images[frame], plain)
            assert labels[frame].tolist() == [label] * 40
    assert not torch.equal(images[1], images[0])
    assert not torch.equal(images[1], images[2])


def test_truncation_sweep(inferencer):
    result = inferencer.sweep_truncation((0.0, 0.5, 1.0), num=3, labels=[1, 2])
    images = result['predictions']['images']
    assert images.shape == (3, 3, 1, 4, 4)
    for index, truncation in enumerate((0.0, 0.5, 1.0)):
        plain = inferencer(3, [1, 2], truncation=truncation)['predictions']['images']
        assert torch.equal(images[index], plain)
    assert result['predictions']['labels'].tolist() == [[1, 2, 1]] * 3
    assert result['visualization'].shape == (3 * 6 + 2, 3 * 6 + 2, 3)
    assert inferencer.sweep_truncation([0.5], num=2)['visualization'].shape == (14, 8, 3)


@pytest.mark.parametrize('name', ['', 'a/b', '../a', 'two words'])
def test_name_that_does_not_do_for_a_published_file(inferencer, tmp_path, name):
    with pytest.raises(ValueError, match=f'name must be made of letters.*got {name!r}'):
        inferencer.publish(tmp_path / 'out', name)
    assert not (tmp_path / 'out').exists()


def test_published_file_is_the_same_to_the_bit(inferencer, tmp_path):
    path = inferencer.publish(tmp_path / 'out')
    assert path.name.startswith('tiny_iter-7-')
    read = GANInferencer(weights=path)
    assert read.classes == NAMES
    assert read.info['iteration'] == 7
    for call in (
        lambda i: i(70, seed=9, truncation=0.7),
        lambda i: i.interpolate(steps=3),
        lambda i: i.morph([0, 'one'], steps=3),
    ):
        assert torch.equal(
            call(read)['predictions']['images'], call(inferencer)['predictions']['images']
        )
    with pytest.raises(ValueError, match=r'use_ema must be True: the published file has the aver'):
        read(2, use_ema=False)
    with pytest.raises(ValueError, match=r'model must be None for .*: its config is inside'):
        GANInferencer(config(), path)
    with pytest.raises(ValueError, match=r'got none, or a generator that is published'):
        read.publish(tmp_path)


def test_nothing_to_draw_from(tmp_path):
    with pytest.raises(ValueError, match=r'model or weights must be given, got neither'):
        GANInferencer()
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*no.pth' is none"):
        GANInferencer(weights=tmp_path / 'no.pth')
    with pytest.raises(ValueError, match=r"weights must be a file, but '.*no.safetensors' is none"):
        GANInferencer(weights=tmp_path / 'no.safetensors')
    with pytest.raises(ValueError, match=r"or the name of one, got 'a.pth'. Pass a checkpoint"):
        GANInferencer('a.pth')
    with pytest.raises(ValueError, match=r"model must be a config or the name of one, got '3'"):
        GANInferencer(3)
    with pytest.raises(ValueError, match=r'device must be one of this machine'):
        GANInferencer('gan_mlp_digits-28x28', device='cuda:99')


def test_checkpoint_of_another_model(checkpoint):
    with pytest.raises(
        ValueError, match=r'generator.layers.0.weight \(\(8, 9\) in the file, \(8, 6\) in the model'
    ):
        GANInferencer(config(None), checkpoint)


def test_checkpoint_without_a_config(tmp_path):
    path, _ = write(tmp_path / 'x.pth', cfg=None)
    with pytest.raises(ValueError, match=r"x.pth' has no config inside. Pass the one"):
        GANInferencer(weights=path)
    assert GANInferencer(config(), path)(2)['predictions']['images'].shape == (2, 1, 4, 4)


@pytest.mark.parametrize(
    'text', ["model = dict(type='GAN', x=open('written', 'w'))", "model = dict(type='os.abort')"]
)
def test_code_in_the_config_does_not_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, _ = write(tmp_path / 'x.pth', cfg=text)
    with pytest.raises(ValueError, match=r'x.pth'):
        GANInferencer(weights=path)
    assert [p.name for p in tmp_path.iterdir()] == ['x.pth']


def test_part_of_the_user_needs_its_import(tmp_path):
    text = config().pretty_text.replace('MLPGenerator', 'MyGenerator')
    text += "\ncustom_imports = dict(imports=['my_parts'])"
    path, _ = write(tmp_path / 'x.pth', cfg=text)
    with pytest.raises(ValueError, match=r"'MyGenerator' that is not reg.* Import my_parts first"):
        GANInferencer(weights=path)
    MODELS.register_module(name='MyGenerator', module=MODELS.get('MLPGenerator'))
    try:
        assert GANInferencer(weights=path)(2)['predictions']['images'].shape == (2, 1, 4, 4)
    finally:
        MODELS._module_dict.pop('MyGenerator')


def test_bad_arguments_of_a_call(inferencer, unconditional):
    for message, arguments in {
        r'num must be an int of at least 1, got 0': dict(num=0),
        r'labels must lie in \[0, 3\), got 1 to 3': dict(labels=[1, 3]),
        r"names of classes, got 'ten'. The names are: zero, one, two": dict(labels='ten'),
        r'labels must be at least one int, got \[\]': dict(labels=[]),
        r'truncation must lie in \[0, 1\], got 1.5': dict(truncation=1.5),
        r'seed must be an int': dict(seed='x'),
    }.items():
        with pytest.raises(ValueError, match=message):
            inferencer(**arguments)
    with pytest.raises(ValueError, match=r'labels must be None for a model without classes'):
        unconditional(labels=1)


def test_bad_arguments_of_a_way(inferencer, unconditional):
    for message, arguments in {
        r'points must be at least two ints >= 0, .* got \[1\]': dict(points=[1]),
        r'points must be at least two ints >= 0, .* got \[0, -1\]': dict(points=[0, -1]),
        r'steps must be an int of at least 1, got 0': dict(steps=0),
        r"method must be 'slerp', 'lerp' or 'w', got 'cubic'": dict(method='cubic'),
        r'labels must lie in \[0, 3\)': dict(labels=[9]),
    }.items():
        with pytest.raises(ValueError, match=message):
            inferencer.interpolate(**arguments)
    with pytest.raises(ValueError, match=r'classes must be at least two ints >= 0, .* got \[1\]'):
        inferencer.morph('one')
    with pytest.raises(ValueError, match=r'labels must lie in \[0, 3\), got 0 to 3'):
        inferencer.morph([0, 3])
    with pytest.raises(ValueError, match=r'labels must be None for a model without classes'):
        unconditional.morph([0, 1])
    with pytest.raises(ValueError, match=r'truncations must hold at least one'):
        inferencer.sweep_truncation([])


def test_diverged_training(tmp_path):
    path, gan = write(tmp_path / 'x.pth')
    checkpoint = torch.load(path)
    checkpoint['state_dict']['generator_ema.module.layers.0.weight'].fill_(float('nan'))
    torch.save(checkpoint, path)
    inferencer = GANInferencer(weights=path)
    with pytest.raises(ValueError, match=r'finite images, .*generator_ema.module.layers.0.weight'):
        inferencer(2)
    with pytest.raises(ValueError, match=r'weights must be finite to be published'):
        inferencer.publish(tmp_path)


def test_generator_that_holds_classes_otherwise(make_gan):
    class OneHot(nn.Module):
        latent_dim, image_shape, num_classes = 3, (1, 2, 2), 3

        def forward(self, latents, labels=None):
            return (latents.mean(1) * labels).tanh().reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)

    gan = make_gan(generator=OneHot(), discriminator=nn.Identity())
    inferencer = GANInferencer(gan)
    with pytest.raises(ValueError, match=r'OneHot has none of num_classes=3. Draw each class'):
        inferencer.interpolate()
    assert inferencer.interpolate(steps=2, labels=1)['predictions']['images'].shape[0] == 7


def test_lazy_name_in_the_package(repo):
    assert mmgan_lite.GANInferencer is GANInferencer
    code = "import sys, mmgan_lite; mmgan_lite.GANInferencer; print('torchvision' in sys.modules)"
    result = subprocess.run(
        [sys.executable, '-c', code], cwd=repo, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == 'False'


def test_trained_weights_do_not_warn(checkpoint):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        GANInferencer(weights=checkpoint)(2)


@pytest.fixture
def styled():
    """An inferencer of a conditional generator with W, whose mean style is not 0."""
    torch.manual_seed(1)
    common = dict(image_shape=(1, 8, 8), num_classes=3, channel_max=6, num_mapping_layers=1)
    gan = GAN(
        generator=dict(type='StyleGAN2Generator', latent_dim=5, style_dim=4, **common),
        discriminator=dict(type='StyleGAN2Discriminator', **common),
        loss=dict(type='NonSaturatingGANLoss'),
        ema=dict(type='ExponentialMovingAverage'),
    )
    gan.generator_ema.module.mapping_network.w_avg.fill_(0.5)
    return GANInferencer(gan, device='cpu')


def test_truncation_in_w(styled):
    drawn = [styled(3, [0, 1, 2], truncation=0.0)['predictions']['images']]
    drawn.append(styled(3, [0, 1, 2], truncation=0.0, truncation_cutoff=1)['predictions']['images'])
    assert torch.equal(drawn[0][0], drawn[0][2])  # the mean style has no class
    assert not torch.equal(drawn[1][0], drawn[1][2])
    with pytest.raises(ValueError, match=r'cutoff must lie in \[0, 4\], .* got 5'):
        styled(2, truncation=0.5, truncation_cutoff=5)


@pytest.mark.parametrize('labels', [None, [2, 1]])
def test_interpolation_is_straight_in_w(styled, labels):
    path = styled.interpolate((0, 2), steps=4, labels=labels, truncation=0.5)
    predictions = path['predictions']
    styles = predictions['styles']
    assert styles.shape == (5, len(labels or [0]), 4, 4)
    expected = torch.lerp(styles[0], styles[4], 0.25)
    torch.testing.assert_close(styles[1], expected)
    assert path['visualization'].ndim == 3
    assert len(path['frames']) == 5
    for row, label in enumerate(labels or [None]):
        ends = styled(3, label, truncation=0.5)['predictions']
        assert torch.equal(predictions['images'][0, row], ends['images'][0])
        assert torch.equal(predictions['images'][4, row], ends['images'][2])
        assert predictions['labels'][0, row] == ends['labels'][0]
        assert predictions['labels'][4, row] == ends['labels'][2]
    latents = styled.interpolate((0, 2), steps=4, labels=labels, method='slerp', truncation=0.5)
    assert latents['predictions']['latents'].shape == (5, len(labels or [0]), 5)
    # The same ends, another way between them.
    assert torch.equal(latents['predictions']['images'][0], predictions['images'][0])
    assert not torch.equal(latents['predictions']['images'][2], predictions['images'][2])


def test_classes_are_blended_before_w(styled):
    path = styled.morph([0, 1], num=2, steps=2)['predictions']
    first = styled(2, 1)['predictions']['images']
    assert torch.equal(path['images'][2], first)
    assert not torch.equal(path['images'][1], path['images'][0])


def test_mixed_styles(styled):
    found = styled.mix_styles((0, 1), (2, 3, 0), layer=2, label=1)
    predictions = found['predictions']
    assert predictions['images'].shape == (2, 3, 1, 8, 8)
    alone = styled(4, 1)['predictions']['images']
    assert torch.equal(predictions['images'][0, 2], alone[0])
    styles = predictions['styles']
    assert torch.equal(styles[:, 0, :2], styles[:, 1, :2])
    assert torch.equal(styles[0, :, 2:], styles[1, :, 2:])
    assert not torch.equal(styles[0, 0], styles[1, 1])
    with pytest.raises(ValueError, match=r'Styles can be mixed from layer 1 to 3 on'):
        styled.mix_styles(layer=4)


def test_w_needs_a_generator_with_styles(inferencer):
    for call in (lambda: inferencer.interpolate(method='w'), inferencer.mix_styles):
        with pytest.raises(ValueError, match=r'styles need a generator with mapping'):
            call()
