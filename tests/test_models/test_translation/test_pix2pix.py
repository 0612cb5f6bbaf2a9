"""pix2pix, with networks of one number."""

import pytest
import torch

from mmgan_lite.models import Pix2Pix


def make(preprocessor, **settings):
    return Pix2Pix(
        generator=dict(type='TranslationScale', weight=0.5),
        discriminator=dict(type='TranslationMeanLogit', weight=2.0),
        loss=dict(type='WassersteinGANLoss'),
        data_preprocessor=preprocessor,
        **settings,
    )


def pairs():
    """G makes 0.5 of 1; the target is -1."""
    ones = torch.ones(2, 1, 2, 2)
    return dict(source=ones, target=-ones)


def test_one_iteration_by_hand(as_it_is, optim_wrapper_of):
    model = make(as_it_is, l1_weight=10.0, ema=dict(type='ExponentialMovingAverage', momentum=0.5))
    log = model.train_step(pairs(), optim_wrapper_of(model))
    # -D(G(x)) = -2 * 0.5; 10 * |0.5 + 1|; D(G(x)) - D(y) = 1 + 2, of the fakes before the step.
    expected = dict(loss_gen=-1.0, loss_l1=15.0, loss_disc=3.0, real_logits=-2.0, fake_logits=1.0)
    assert {key: value.item() for key, value in log.items()} == pytest.approx(expected)
    # d/dw (-2 w + 10 (w + 1)) = 8; d/dv (0.5 v + v) = 1.5
    assert model.generator.weight.item() == pytest.approx(0.5 - 0.1 * 8)
    assert model.discriminator.weight.item() == pytest.approx(2 - 0.1 * 1.5)
    # The first update of an average copies.
    assert model.generator_ema.module.weight.item() == pytest.approx(-0.3)


def test_penalty_is_on_both_images(as_it_is, optim_wrapper_of):
    """R1: the slope is v / 4 in each of 4 pixels of the last channel: weight / 2 * v^2 / 4."""
    model = make(as_it_is, regularizers=[dict(type='R1Regularizer', weight=3.0)])
    log = model.train_step(pairs(), optim_wrapper_of(model))
    assert log['loss_r1'].item() == pytest.approx(1.5 * 4 / 4)


def test_relativistic_loss_sees_the_target(as_it_is, optim_wrapper_of):
    model = make(as_it_is, l1_weight=0.0)
    model.loss = torch.nn.Module()
    model.loss.needs_real_logits = True
    model.loss.generator = lambda fake, real: (real - fake).mean()
    model.loss.discriminator = lambda real, fake: (fake - real).mean()
    log = model.train_step(pairs(), optim_wrapper_of(model))
    assert log['loss_gen'].item() == pytest.approx(-2 - 1)


def test_translate_and_predict(as_it_is):
    model = make(None)
    images = torch.linspace(-1, 1, 8).reshape(2, 1, 2, 2)
    pixels = torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    assert torch.equal(model.translate(images), 0.5 * images)
    assert torch.equal(model(images), 0.5 * images)
    first, _ = model(images, images, mode='predict')
    assert set(first.keys()) == {'source', 'target', 'fake_image'}
    assert first.fake_image.dtype == torch.uint8
    assert first.fake_image[0, 0, 0] == 64  # (-0.5 + 1) * 127.5, rounded
    assert (first.from_ema, first.domain) == (False, 'a2b')
    batch = model.prepare_batch(dict(source=(images * 127.5 + 127.5).byte(), target=pixels))
    source, output, target = model.sample_rows(batch)
    assert torch.equal(output, 0.5 * source)
    assert torch.equal(target, batch.target)


def test_statistics_when_translating(as_it_is):
    """By the batch: normalized, without a trace; by running statistics: as they are."""
    networks = dict(
        generator=torch.nn.BatchNorm2d(1),
        discriminator=dict(type='TranslationMeanLogit', weight=1.0),
        loss=dict(type='HingeGANLoss'),
    )
    images = 3 + torch.randn(8, 1, 4, 4)
    for statistics, mean in (('running', 3.0), ('batch', 0.0)):
        model = Pix2Pix(**networks, test_statistics=statistics)
        model.train()
        assert model.translate(images).mean().item() == pytest.approx(mean, abs=0.5)
        assert model.generator.running_mean.item() == 0
        assert model.generator.training
        assert model.generator.track_running_stats


def test_mistakes_are_named(as_it_is, optim_wrapper_of):
    model = make(as_it_is)
    with pytest.raises(ValueError, match=r"Pix2Pix needs batches with 'source' and 'target'"):
        model.train_step(dict(source=torch.zeros(1, 1, 2, 2)), optim_wrapper_of(model))
    with pytest.raises(
        ValueError, match=r'source and target of a batch must be of one number, got'
    ):
        model.prepare_batch(dict(source=torch.zeros(1, 1, 2, 2), target=torch.zeros(2, 1, 2, 2)))
    with pytest.raises(ValueError, match=r"domain must be one of 'a2b', got 'b2a'"):
        model.translate(torch.zeros(1, 1, 2, 2), 'b2a')
    with pytest.raises(ValueError, match=r'test_statistics must be one of'):
        make(as_it_is, test_statistics='both')
    with pytest.raises(ValueError, match=r'regularizers of Pix2Pix must be of the discriminator'):
        make(as_it_is, regularizers=[dict(type='OrthogonalRegularizer')])
    with pytest.raises(ValueError, match=r'l1_weight must be'):
        make(as_it_is, l1_weight=-1)
