"""CycleGAN, with networks of one number."""

import pytest
import torch

from mmgan_lite.models import CycleGAN


def make(preprocessor, **settings):
    model = CycleGAN(
        generator=dict(type='TranslationScale', weight=0.5),
        discriminator=dict(type='TranslationMeanLogit', weight=2.0),
        loss=dict(type='LeastSquaresGANLoss'),
        data_preprocessor=preprocessor,
        **settings,
    )
    with torch.no_grad():
        model.generator_b2a.weight.fill_(3.0)
    return model


def batch():
    """a is 1, b is -1."""
    ones = torch.ones(2, 1, 2, 2)
    return dict(source=ones, target=-ones)


def test_losses_by_hand(as_it_is, optim_wrapper_of):
    """B = 0.5 a, A = 3 b: fake b is 0.5, fake a is -3; both cycles give 1.5 of the image."""
    model = make(as_it_is)
    log = model.train_step(batch(), optim_wrapper_of(model, lr=0.0))
    expected = dict(
        loss_gen_a2b=0.5 * (2 * 0.5 - 1) ** 2,
        loss_gen_b2a=0.5 * (2 * -3 - 1) ** 2,
        loss_cycle=5 * (0.5 + 0.5),
        loss_identity=5 * 0.5 * (2 + 0.5),  # |3 - 1| and |-0.5 + 1|
        loss_disc_a=0.5 * ((2 - 1) ** 2 + 6**2),
        loss_disc_b=0.5 * ((-2 - 1) ** 2 + 1),
        real_logits_a=2.0,
        fake_logits_a=-6.0,
        real_logits_b=-2.0,
        fake_logits_b=1.0,
    )
    assert {key: value.item() for key, value in log.items()} == pytest.approx(expected)


def test_each_player_trains_its_networks(as_it_is, optim_wrapper_of):
    model = make(as_it_is)
    optim_wrapper = optim_wrapper_of(model, lr=0.01)
    before = {name: p.item() for name, p in model.named_parameters()}
    model.train_step(batch(), optim_wrapper)
    after = {name: p.item() for name, p in model.named_parameters()}
    assert all(before[name] != after[name] for name in before)
    assert set(optim_wrapper.keys()) == {'generator', 'discriminator'}


def test_discriminators_see_earlier_fakes(as_it_is, optim_wrapper_of):
    torch.manual_seed(0)
    model = make(as_it_is, pool_size=4)
    optim_wrapper = optim_wrapper_of(model, lr=0.01)
    seen = []
    for _ in range(12):
        model.train_step(batch(), optim_wrapper)
        with torch.no_grad():
            images, fakes = model.judged('discriminator_b', model_batch(model))
        assert torch.equal(images, batch()['target'])
        seen.append(fakes[:, 0, 0, 0].tolist())
    assert model.pools['b'].count == 4
    assert any(len(set(values)) > 1 for values in seen)  # of several iterations
    state = make(as_it_is, pool_size=4)
    state.load_state_dict(model.state_dict())
    assert torch.equal(state.pools['b'].images, model.pools['b'].images)


def model_batch(model):
    """A batch after the generators' step."""
    prepared = model.prepare_batch(batch())
    model.generator_losses(prepared)
    return prepared


def test_both_directions(as_it_is):
    model = make(as_it_is, ema=dict(type='ExponentialMovingAverage', momentum=0.5))
    image = torch.ones(1, 1, 2, 2)
    assert model.translate(image, 'a2b').mean() == 0.5
    assert model.translate(image, 'b2a', use_ema=False).mean() == 3
    assert {name.partition('.')[0] for name in model.state_dict()} >= {
        'generator_a2b',
        'generator_b2a',
        'generator_a2b_ema',
        'discriminator_a',
        'pools',
    }


def test_rows_are_both_cycles(as_it_is):
    model = make(as_it_is)
    rows = model.sample_rows(model.prepare_batch(batch()))
    # B = 0.5 a, A = 3 b.
    assert [row.unique().tolist() for row in rows] == [[1], [0.5], [1.5], [-1], [-3], [-1.5]]
    assert all(row.shape == (2, 1, 2, 2) for row in rows)


def test_without_identity_and_pool(as_it_is, optim_wrapper_of):
    model = make(as_it_is, identity_weight=0.0, pool_size=0)
    log = model.train_step(batch(), optim_wrapper_of(model))
    assert 'loss_identity' not in log
    assert not model.pools


def test_networks_must_be_configs():
    """One object would be both networks."""
    cfg = dict(type='TranslationMeanLogit', weight=1.0)
    with pytest.raises(ValueError, match=r'generator of CycleGAN must be a config, of which two'):
        CycleGAN(torch.nn.Identity(), cfg, loss=dict(type='HingeGANLoss'))
