"""Objectives against hand values and PyTorch's own losses, and the contract of all of them."""

import inspect
import math

import pytest
import torch
import torch.nn.functional as F

from mmgan_lite.models import (
    AdversarialLoss,
    HingeGANLoss,
    LeastSquaresGANLoss,
    NonSaturatingGANLoss,
    RelativisticAverageGANLoss,
    RelativisticPairingGANLoss,
    SaturatingGANLoss,
    WassersteinGANLoss,
)
from mmgan_lite.registry import MODELS

REAL = torch.tensor([2.0, -1.0, 0.0])
FAKE = torch.tensor([-3.0, 0.5, 0.0])
OBJECTIVES = [
    part
    for part in MODELS.module_dict.values()
    if inspect.isclass(part) and issubclass(part, AdversarialLoss)
]
SMOOTHED = [NonSaturatingGANLoss, SaturatingGANLoss, LeastSquaresGANLoss]


def softplus(x):
    return math.log1p(math.exp(x))


def assert_value(scalar, expected):
    torch.testing.assert_close(scalar, torch.tensor(expected))


def generator_side(loss, fake_logits, real_logits):
    return loss.generator(fake_logits, *([real_logits] if loss.needs_real_logits else []))


def test_non_saturating_matches_hand_computation():
    loss = MODELS.build(dict(type='NonSaturatingGANLoss'))
    real = sum(softplus(-x) for x in (2.0, -1.0, 0.0)) / 3
    fake = sum(softplus(x) for x in (-3.0, 0.5, 0.0)) / 3
    assert_value(loss.discriminator(REAL, FAKE), real + fake)
    assert_value(loss.generator(FAKE), sum(softplus(-x) for x in (-3.0, 0.5, 0.0)) / 3)


@pytest.mark.parametrize('objective', [NonSaturatingGANLoss, SaturatingGANLoss])
@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_logistic_discriminator_is_binary_cross_entropy(objective, smoothing):
    """Smoothing is one-sided: the target of the fakes stays 0."""
    real = F.binary_cross_entropy_with_logits(REAL, torch.full((3,), 1 - smoothing))
    fake = F.binary_cross_entropy_with_logits(FAKE, torch.zeros(3))
    loss = objective(label_smoothing=smoothing)
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), real + fake)


def test_logistic_generators_are_binary_cross_entropy():
    as_real = F.binary_cross_entropy_with_logits(FAKE, torch.ones(3))
    as_fake = F.binary_cross_entropy_with_logits(FAKE, torch.zeros(3))
    torch.testing.assert_close(NonSaturatingGANLoss().generator(FAKE), as_real)
    torch.testing.assert_close(SaturatingGANLoss().generator(FAKE), -as_fake)


def test_saturating_matches_hand_computation():
    loss = MODELS.build(dict(type='SaturatingGANLoss'))
    fake = sum(softplus(x) for x in (-3.0, 0.5, 0.0)) / 3
    real = sum(softplus(-x) for x in (2.0, -1.0, 0.0)) / 3
    assert_value(loss.discriminator(REAL, FAKE), real + fake)
    assert_value(loss.generator(FAKE), -fake)


def test_least_squares_matches_hand_computation():
    loss = MODELS.build(dict(type='LeastSquaresGANLoss'))
    # 1/2 (r - 1)^2 = 1/2, 2, 1/2 -> 1;  1/2 f^2 = 9/2, 1/8, 0 -> 37/24
    assert_value(loss.discriminator(REAL, FAKE), 1 + 37 / 24)
    # 1/2 (f - 1)^2 = 8, 1/8, 1/2 -> 69/24
    assert_value(loss.generator(FAKE), 69 / 24)


def test_least_squares_is_mean_squared_error():
    smoothed = LeastSquaresGANLoss(label_smoothing=0.1)
    expected = F.mse_loss(REAL, torch.full((3,), 0.9)) / 2 + F.mse_loss(FAKE, torch.zeros(3)) / 2
    torch.testing.assert_close(smoothed.discriminator(REAL, FAKE), expected)
    torch.testing.assert_close(smoothed.generator(FAKE), F.mse_loss(FAKE, torch.ones(3)) / 2)


def test_wasserstein_matches_hand_computation():
    loss = MODELS.build(dict(type='WassersteinGANLoss'))
    assert_value(loss.discriminator(REAL, FAKE), -2.5 / 3 - 1 / 3)
    assert_value(loss.generator(FAKE), 2.5 / 3)


def test_hinge_matches_hand_computation():
    loss = MODELS.build(dict(type='HingeGANLoss'))
    # relu(1 - r) = 0, 2, 1 -> 1;  relu(1 + f) = 0, 1.5, 1 -> 2.5 / 3
    assert_value(loss.discriminator(REAL, FAKE), 1 + 2.5 / 3)
    assert_value(loss.generator(FAKE), 2.5 / 3)


def test_hinge_discriminator_is_hinge_embedding_loss():
    """PyTorch's takes relu(margin - x) of the target -1 and x of the target 1."""
    expected = F.hinge_embedding_loss(REAL, -torch.ones(3)) + F.hinge_embedding_loss(
        -FAKE, -torch.ones(3)
    )
    torch.testing.assert_close(HingeGANLoss().discriminator(REAL, FAKE), expected)


def test_relativistic_pairing_matches_hand_computation():
    loss = MODELS.build(dict(type='RelativisticPairingGANLoss'))
    margins = (5.0, -1.5, 0.0)  # r - f
    assert_value(loss.discriminator(REAL, FAKE), sum(softplus(-x) for x in margins) / 3)
    assert_value(loss.generator(FAKE, REAL), sum(softplus(x) for x in margins) / 3)


def test_relativistic_pairing_is_soft_margin_loss():
    loss = RelativisticPairingGANLoss()
    ones = torch.ones(3)
    torch.testing.assert_close(
        loss.discriminator(REAL, FAKE), F.soft_margin_loss(REAL - FAKE, ones)
    )
    torch.testing.assert_close(loss.generator(FAKE, REAL), F.soft_margin_loss(FAKE - REAL, ones))


def test_relativistic_average_matches_hand_computation():
    loss = MODELS.build(dict(type='RelativisticAverageGANLoss'))
    real, fake = torch.tensor([3.0, -1.0]), torch.tensor([0.0, -4.0])  # means 1 and -2
    # r - mean f = 5, 1;  f - mean r = -1, -5
    expected = (softplus(-5) + softplus(-1)) / 2 + (softplus(-1) + softplus(-5)) / 2
    assert_value(loss.discriminator(real, fake), expected)
    # -(f - mean r) = 1, 5;  r - mean f = 5, 1
    expected = (softplus(1) + softplus(5)) / 2 + (softplus(5) + softplus(1)) / 2
    assert_value(loss.generator(fake, real), expected)


def test_relativistic_average_is_binary_cross_entropy():
    loss = RelativisticAverageGANLoss()
    real, fake = REAL - FAKE.mean(), FAKE - REAL.mean()
    ones, zeros = torch.ones(3), torch.zeros(3)
    bce = F.binary_cross_entropy_with_logits
    torch.testing.assert_close(loss.discriminator(REAL, FAKE), bce(real, ones) + bce(fake, zeros))
    torch.testing.assert_close(loss.generator(FAKE, REAL), bce(fake, ones) + bce(real, zeros))


@pytest.mark.parametrize('objective', [RelativisticPairingGANLoss, RelativisticAverageGANLoss])
def test_relativistic_objectives_need_pairs(objective):
    """(3,) against (1,), or against (3, 1), would broadcast."""
    loss = objective()
    with pytest.raises(ValueError, match=r'same shape, got \(3,\) and \(1,\). Make as many fakes'):
        loss.discriminator(REAL, FAKE[:1])
    with pytest.raises(ValueError, match=r'same shape, got \(3, 1\) and \(3,\)'):
        loss.generator(FAKE, REAL[:, None])
    with pytest.raises(ValueError, match='real_logits must be given to a relativistic objective'):
        loss.generator(FAKE)


@pytest.mark.parametrize('objective', [RelativisticPairingGANLoss, RelativisticAverageGANLoss])
def test_relativistic_objectives_ignore_a_common_shift(objective):
    loss = objective()
    for side in (loss.discriminator, loss.generator):
        torch.testing.assert_close(side(REAL, FAKE), side(REAL + 7, FAKE + 7))


@pytest.mark.parametrize('objective', SMOOTHED)
def test_smoothing_leaves_the_generator_alone(objective):
    smoothed = MODELS.build(dict(type=objective.__name__, label_smoothing=0.1))
    assert torch.equal(smoothed.generator(FAKE), objective().generator(FAKE))


@pytest.mark.parametrize('objective', SMOOTHED)
@pytest.mark.parametrize('value', [-0.1, 0.5, 0.9, math.nan, '0.1', None])
def test_smoothing_out_of_its_range(objective, value):
    with pytest.raises(ValueError, match=r'label_smoothing must be a number in \[0, 0.5\), got'):
        objective(label_smoothing=value)


@pytest.mark.parametrize('objective', [WassersteinGANLoss, HingeGANLoss])
def test_smoothing_where_it_means_nothing(objective):
    with pytest.raises(TypeError, match="has no argument 'label_smoothing'"):
        MODELS.build(dict(type=objective, label_smoothing=0.1))


def test_gradient_does_not_vanish_at_extreme_logits():
    """At 200 a sigmoid rounds to 1, and a logarithm after it has gradient 0."""
    logits = torch.tensor([200.0], requires_grad=True)
    NonSaturatingGANLoss().discriminator(torch.zeros(1), logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([1.0]))
    logits = torch.tensor([-200.0], requires_grad=True)
    NonSaturatingGANLoss().generator(logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([-1.0]))


def test_saturating_generator_vanishes_where_it_should():
    logits = torch.tensor([-200.0, 200.0], requires_grad=True)
    SaturatingGANLoss().generator(logits).backward()
    torch.testing.assert_close(logits.grad, torch.tensor([0.0, -0.5]))


def test_all_objectives_are_found():
    assert {part.__name__ for part in OBJECTIVES} >= {
        'HingeGANLoss',
        'LeastSquaresGANLoss',
        'NonSaturatingGANLoss',
        'RelativisticAverageGANLoss',
        'RelativisticPairingGANLoss',
        'SaturatingGANLoss',
        'WassersteinGANLoss',
    }


@pytest.mark.parametrize('objective', OBJECTIVES)
class TestContract:
    """What the GAN takes for granted of an objective, also of one that is added tomorrow."""

    def test_scalars_of_the_dtype_of_the_logits(self, objective):
        loss = objective()
        for dtype in (torch.float32, torch.float64):
            real, fake = REAL.to(dtype), FAKE.to(dtype)
            for scalar in (loss.discriminator(real, fake), generator_side(loss, fake, real)):
                assert scalar.shape == ()
                assert scalar.dtype == dtype

    def test_gradcheck(self, objective):
        loss = objective()
        real, fake = (x.double().requires_grad_() for x in (REAL + 0.1, FAKE + 0.2))
        assert torch.autograd.gradcheck(loss.discriminator, (real, fake))
        inputs = (fake, real) if loss.needs_real_logits else (fake,)
        assert torch.autograd.gradcheck(loss.generator, inputs)

    def test_finite_at_extreme_logits(self, objective):
        loss = objective()
        extremes = torch.tensor([-200.0, 200.0])
        real = extremes.repeat(2).requires_grad_()
        fake = extremes.repeat_interleave(2).requires_grad_()
        for scalar in (loss.discriminator(real, fake), generator_side(loss, fake, real)):
            gradients = torch.autograd.grad(scalar, (real, fake), materialize_grads=True)
            assert scalar.isfinite()
            assert all(gradient.isfinite().all() for gradient in gradients)

    def test_who_pulls_where(self, objective):
        """The discriminator parts real and fake, the generator raises its fakes."""
        loss = objective()
        real, fake = (torch.tensor([0.3, 0.6], requires_grad=True) for _ in range(2))
        loss.discriminator(real, fake).backward()
        assert (real.grad < 0).all()
        assert (fake.grad > 0).all()
        fake.grad = None
        generator_side(loss, fake, real.detach()).backward()
        assert (fake.grad < 0).all()

    def test_says_whether_it_needs_real_logits(self, objective):
        loss = objective()
        assert isinstance(loss.needs_real_logits, bool)
        if loss.needs_real_logits:
            assert not torch.equal(loss.generator(FAKE, REAL), loss.generator(FAKE, REAL + 1))
        else:
            assert torch.equal(loss.generator(FAKE), loss.generator(FAKE, REAL))

    def test_keeps_no_state(self, objective):
        assert objective().state_dict() == {}

    def test_is_built_by_name_and_exported(self, objective):
        import mmgan_lite.models

        assert isinstance(MODELS.build(dict(type=objective.__name__)), objective)
        assert getattr(mmgan_lite.models, objective.__name__) is objective

    def test_trains_a_gan(self, objective, make_gan, make_batch, make_optim_wrapper):
        gan = make_gan(loss=dict(type=objective.__name__))
        before = {name: weight.clone() for name, weight in gan.named_parameters()}
        log = gan.train_step(make_batch(), make_optim_wrapper(gan))
        assert all(value.isfinite() for value in log.values())
        for network in ('generator.', 'discriminator.'):
            assert any(
                not torch.equal(weight, before[name])
                for name, weight in gan.named_parameters()
                if name.startswith(network)
            )


@pytest.mark.parametrize('objective', [*SMOOTHED, HingeGANLoss])
@pytest.mark.parametrize('smoothing', [0.0, 0.2])
def test_threshold_is_where_real_and_fake_are_equally_likely(objective, smoothing):
    """The best logit for an image that is in both batches, found on a grid."""
    if objective is HingeGANLoss:  # flat between its margins, 0 in the middle
        assert objective().decision_threshold == 0
        return
    loss = objective(label_smoothing=smoothing)
    grid = torch.linspace(-2, 2, 4001)
    values = torch.stack([loss.discriminator(x[None], x[None]) for x in grid])
    assert loss.decision_threshold == pytest.approx(grid[values.argmin()].item(), abs=2e-3)


def test_no_threshold_where_only_differences_count():
    for loss in (WassersteinGANLoss, RelativisticPairingGANLoss, RelativisticAverageGANLoss):
        assert loss().decision_threshold is None
