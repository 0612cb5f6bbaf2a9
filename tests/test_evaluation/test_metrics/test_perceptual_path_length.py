"""Perceptual path length, against closed forms and float64."""

import copy
import math

import pytest
import torch
from scipy.stats import chi2
from torch import nn

from mmgan_lite.evaluation import Comparison, ModuleExtractor, PerceptualPathLength, Samples
from mmgan_lite.evaluation.metrics import perceptual_path_length
from mmgan_lite.models import GAN, StyleGAN2Generator
from mmgan_lite.registry import MODELS

NOTHING = Samples()


@MODELS.register_module()
class LinearStyles(nn.Module):
    """Styles are the latents, or one of them an angle; the image is a matrix times them."""

    num_classes = None

    def __init__(self, latent_dim=6, image_shape=(1, 2, 4), circle=False, noise=0.0):
        super().__init__()
        self.latent_dim, self.image_shape, self.circle, self.noise = (
            latent_dim,
            image_shape,
            circle,
            noise,
        )
        self.matrix = nn.Parameter(torch.randn(latent_dim, math.prod(image_shape)))

    def mapping(self, latents, labels=None):
        return latents[:, None]

    def synthesis(self, ws):
        images = ws[:, 0] @ self.matrix
        if self.circle:
            angle = 3 * ws[:, 0, 0]
            images = torch.stack([angle.cos(), angle.sin()], 1)
        images = images + self.noise * torch.randn_like(images)
        return images.reshape(-1, *self.image_shape)

    def forward(self, latents, labels=None):
        return self.synthesis(self.mapping(latents, labels))


class Labeled(nn.Module):
    """A conditional generator that keeps the labels that it got; without styles."""

    latent_dim, image_shape, num_classes = 4, (1, 2, 2), 5

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.seen = []

    def forward(self, latents, labels):
        self.seen.append(labels)
        return (latents * self.weight).reshape(-1, 1, 2, 2)


@pytest.fixture
def make_model():
    def make(generator):
        discriminator = dict(
            type='MLPDiscriminator',
            image_shape=generator.image_shape,
            hidden_dims=(4,),
            num_classes=generator.num_classes,
        )
        return GAN(generator, discriminator, dict(type='NonSaturatingGANLoss')).eval()

    return make


def pixels():
    return ModuleExtractor(nn.Flatten(), 'pixels')


@torch.no_grad()
def draw(model, extractor=None, **settings):
    return PerceptualPathLength(**settings).draw(model, extractor or pixels())


def latents_of(model, num, index=0):
    """Those of a batch."""
    stream = torch.Generator().manual_seed(index)
    return model.sample_latents(2 * num, stream).double().chunk(2)


def test_circle_has_the_mean_square_of_the_angle(make_model):
    """Features at the angle 3 w, so a path of w1 to w2 has the speed 3 |w2 - w1|."""
    model = make_model(LinearStyles(1, (1, 1, 2), circle=True))
    metric = PerceptualPathLength(num_pairs=20_000, batch_size=2000)
    with torch.no_grad():
        lengths = metric.draw(model, pixels())
    scores = metric.compute(Comparison(NOTHING, NOTHING, drawn=lengths))
    # (w2 - w1)^2 / 2 is chi-square; its mean between two quantiles, from the density with two more
    # degrees of freedom.
    low, high = chi2.ppf([0.01, 0.99], 1)
    trimmed = (chi2.cdf(high, 3) - chi2.cdf(low, 3)) / 0.98
    assert scores == {'PPL_W_end': pytest.approx(9 * 2 * trimmed, rel=0.03)}
    # And each pair by itself.
    first, second = latents_of(model, 2000)
    expected = (3 * (second - first)).square()[:, 0]
    torch.testing.assert_close(lengths[:2000], expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize('sampling', ['end', 'full'])
def test_linear_generator_in_w(make_model, sampling):
    """The direction u of x moves by the part of dx at right angles to it, over the norm of x."""
    model = make_model(LinearStyles())
    lengths = draw(model, sampling=sampling, num_pairs=300, batch_size=300)
    first, second = latents_of(model, 300)
    start = torch.zeros(300, 1, dtype=torch.float64)
    if sampling == 'full':
        stream = torch.Generator().manual_seed(0)
        model.sample_latents(600, stream)
        start = torch.rand(300, 1, generator=stream, dtype=torch.float64)
    matrix = model.generator.matrix.detach().double()
    point, change = (first + start * (second - first)) @ matrix, (second - first) @ matrix
    direction = point / point.norm(dim=1, keepdim=True)
    across = change - direction * (direction * change).sum(1, keepdim=True)
    expected = across.square().sum(1) / point.square().sum(1)
    torch.testing.assert_close(lengths, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize('sampling', ['end', 'full'])
def test_identity_in_z_has_the_square_of_the_angle(make_model, sampling):
    """A great circle is run through at constant speed."""
    generator = LinearStyles(6, (1, 2, 3))
    generator.matrix.data = torch.eye(6)
    model = make_model(generator)
    lengths = draw(model, space='z', sampling=sampling, num_pairs=200, batch_size=200)
    first, second = (nn.functional.normalize(part) for part in latents_of(model, 200))
    angles = (first * second).sum(1).acos()
    torch.testing.assert_close(lengths, angles.square(), rtol=1e-2, atol=1e-4)


def test_the_lowest_and_the_highest_percent_are_left_out():
    lengths = torch.arange(101.0, dtype=torch.float64)
    lengths[100], lengths[0] = 1e9, -1e9
    comparison = Comparison(NOTHING, NOTHING, drawn=lengths.flip(0))
    # Of 101 numbers the percentiles are the second and the last but one.
    assert PerceptualPathLength().compute(comparison) == {'PPL_W_end': 50}


def small_stylegan2(**settings):
    torch.manual_seed(1)
    generator = StyleGAN2Generator(
        16, (1, 16, 16), style_dim=16, channel_base=256, channel_max=16, **settings
    )
    for name, strength in generator.named_parameters():
        if name.endswith('noise_strength'):
            strength.data.fill_(0.3)
    return generator


@pytest.mark.parametrize('space', ['w', 'z'])
def test_float32_is_precise_enough(make_model, space):
    model = make_model(small_stylegan2())
    lengths = draw(model, space=space, num_pairs=64, batch_size=64)
    exact = copy.deepcopy(model.generator).double()
    first, second = latents_of(model, 64)
    epsilon = 1e-4
    with torch.no_grad():
        if space == 'w':
            first, second = exact.mapping(first), exact.mapping(second)
            images = [exact.synthesis(first.lerp(second, t)) for t in (0, epsilon)]
        else:
            a, b = nn.functional.normalize(first), nn.functional.normalize(second)
            angle = (a * b).sum(1, keepdim=True).acos()
            near = torch.sin((1 - epsilon) * angle) * a + torch.sin(epsilon * angle) * b
            images = [exact(first), exact(near / angle.sin())]  # mapping normalizes latents
    features = [nn.functional.normalize(image.flatten(1)) for image in images]
    expected = (features[0] - features[1]).square().sum(1) / epsilon**2
    assert float(expected.mean()) > 0.1
    torch.testing.assert_close(lengths.mean(), expected.mean(), rtol=2e-3, atol=0)
    torch.testing.assert_close(lengths, expected, rtol=5e-2, atol=1e-3)


def test_lower_precision_of_the_generator_is_off(make_model):
    lowered = small_stylegan2(low_precision_levels=2)
    full = small_stylegan2(clamp=256.0)
    full.load_state_dict(lowered.state_dict())
    lengths = [draw(make_model(g), num_pairs=20) for g in (lowered, full)]
    assert torch.equal(*lengths)
    assert lowered.synthesis_network.blocks['16'].dtype == torch.bfloat16


@pytest.mark.parametrize('space', ['w', 'z'])
def test_both_images_of_a_pair_have_the_same_noise(make_model, space):
    """Of unequal noise the step of 1e-4 would make some 1e8."""
    model = make_model(LinearStyles(noise=1.0))
    state = torch.get_rng_state()
    lengths = draw(model, space=space, num_pairs=100)
    assert 0 < lengths.mean() < 1e3
    assert torch.equal(torch.get_rng_state(), state)
    assert len({*lengths.tolist()}) == 100  # but not all pairs
    styled = make_model(small_stylegan2(noise='random'))
    assert 0 < draw(styled, space=space, num_pairs=100).mean() < 1e3


def test_both_images_of_a_pair_have_one_label(make_model):
    generator = Labeled()
    draw(make_model(generator), space='z', num_pairs=100, batch_size=60)
    first, near, second, near_second = generator.seen
    assert torch.equal(first, near)
    assert torch.equal(second, near_second)
    assert [len(first), len(second)] == [60, 40]
    assert {*first.tolist()} == set(range(5))


def test_conditional_stylegan2_in_w(make_model):
    model = make_model(small_stylegan2(num_classes=3))
    assert 0 < draw(model, num_pairs=10).mean() < 1e3


def test_processes_share_the_pairs(make_model, monkeypatch):
    model = make_model(LinearStyles())
    alone = draw(model, num_pairs=95, batch_size=20)
    parts = []
    monkeypatch.setattr(perceptual_path_length, 'get_world_size', lambda: 3)
    for rank in range(3):
        monkeypatch.setattr(perceptual_path_length, 'get_rank', lambda rank=rank: rank)
        parts.append(draw(model, num_pairs=95, batch_size=20))
    assert [len(part) for part in parts] == [40, 35, 20]
    assert torch.equal(torch.cat(parts).sort().values, alone.sort().values)
    assert len(draw(model, num_pairs=20, batch_size=20)) == 0  # the third has none of one batch


def test_average_of_the_weights_is_measured(make_model):
    model = make_model(LinearStyles())
    averaged = copy.deepcopy(model)
    averaged.generator_ema = nn.Module()
    averaged.generator_ema.module = copy.deepcopy(model.generator)
    averaged.generator.matrix.data.zero_()
    assert torch.equal(draw(averaged, num_pairs=5), draw(model, num_pairs=5))


def test_names():
    names = [
        PerceptualPathLength(space, sampling).score_names
        for space in 'wz'
        for sampling in ('end', 'full')
    ]
    assert names == [('PPL_W_end',), ('PPL_W_full',), ('PPL_Z_end',), ('PPL_Z_full',)]
    metric = PerceptualPathLength(num_pairs=7, epsilon=1e-3)
    assert metric.settings == dict(num_pairs=7, epsilon=1e-3)
    # No paper reports it through Inception, whose other scores have plain names.
    assert metric.tag('', 'inception-v3') == '[inception-v3]'


def test_generator_without_styles(make_model):
    model = make_model(Labeled())
    with pytest.raises(
        ValueError,
        match=r"space='w' needs a generator with mapping.* but Labeled has none. Pass Per",
    ):
        PerceptualPathLength().check_model(model)
    PerceptualPathLength(space='z').check_model(model)
    with pytest.raises(
        ValueError, match='needs a model that draws images from latents, .* got Lin'
    ):
        PerceptualPathLength().check_model(nn.Linear(1, 1))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(space='x'), "space must be one of 'w', 'z', got 'x'"),
        (dict(sampling='middle'), "sampling must be one of 'end', 'full', got 'middle'"),
        (dict(num_pairs=0), 'num_pairs must be an int of at least 1, got 0'),
        (dict(epsilon=0), 'epsilon must be a finite number over 0, got 0'),
        (dict(batch_size=0), 'batch_size must be an int of at least 1, got 0'),
    ],
)
def test_arguments(settings, message):
    with pytest.raises(ValueError, match=message):
        PerceptualPathLength(**settings)


def test_no_pairs():
    for drawn in (None, torch.empty(0)):
        with pytest.raises(ValueError, match='needs at least 1 pair of images from draw, got 0'):
            PerceptualPathLength().compute(Comparison(NOTHING, NOTHING, drawn=drawn))
