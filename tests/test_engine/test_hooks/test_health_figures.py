"""Figures of health, by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from mmgan_lite.engine.hooks import health_figures
from mmgan_lite.models import LeastSquaresGANLoss, NonSaturatingGANLoss


def test_separation_counts_pairs_and_half_the_ties():
    # 2 > 1, 2 > 0; 1 = 1, 1 > 0: 3 and a half of 4.
    separation = health_figures.separation(torch.tensor([2.0, 1.0]), torch.tensor([1.0, 0.0]))
    assert separation.item() == 3.5 / 4


def test_doubt_of_the_logistic_objective_is_its_probability_of_error():
    real, fake = torch.tensor([2.0, 0.0]), torch.tensor([-3.0, -3.0])

    def sigmoid(x):
        return 1 / (1 + math.exp(-x))

    slope = health_figures.slope(NonSaturatingGANLoss(), real, fake)
    assert slope.item() == pytest.approx((sigmoid(-2) + 0.5) / 2 + sigmoid(-3))


def test_nearest_neighbours_by_hand():
    images = torch.tensor([0.0, 1.0, 4.0, 4.0]).reshape(4, 1, 1, 1)
    others = health_figures.pairs_of(4, None, images.device)
    assert health_figures.nearest(images, others).item() == (1 + 1 + 0 + 0) / 4


def test_neighbours_are_of_the_same_class_where_there_are_enough():
    images = torch.tensor([0.0, 1.0, 5.0, 7.0, 9.0]).reshape(5, 1, 1, 1).repeat(2, 1, 1, 1)
    labels = torch.arange(5).repeat(2)
    images[5:] += 20
    same = health_figures.pairs_of(10, labels, images.device)
    assert health_figures.nearest(images, same).item() == 20
    few = health_figures.pairs_of(5, torch.arange(5), images.device)
    assert few.sum() == 20  # all others


def test_logits_in_a_map_are_compared_by_their_means():
    real, fake = torch.tensor([[0.0, 4.0], [1.0, 1.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    # Means 2, 1 and 1, 0: 2 > 1, 2 > 0, 1 = 1, 1 > 0.
    assert health_figures.separation(real, fake).item() == 3.5 / 4


def flat(*values):
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)


class TwoWays:
    """There: half the image; back: nothing but zeros."""

    domains = ('a2b', 'b2a')
    loss = LeastSquaresGANLoss()

    def translate(self, images, domain, use_ema):
        assert use_ema is False
        return images / 2 if domain == 'a2b' else 0 * images


def test_figures_of_a_translation():
    """Least squares: undecided at 0.5, with slopes of 0.5 each."""
    logged = dict(
        loss_gen=torch.tensor(1.0),
        real_logits_a=torch.tensor(0.9),
        fake_logits_a=torch.tensor(0.2),
        real_logits_b=torch.tensor(-7.0),
        fake_logits_b=torch.tensor(0.5),
    )
    figures = health_figures.translation_figures(
        TwoWays(), flat(0.0, 0.4, 0.8), flat(1.0, 0.8, 0.0), logged
    )
    # Outputs 0, 0.2, 0.4: each 0.4 from the nearest over 2x2 pixels; targets 0.4, 0.4, 1.6.
    # Changes 0, 0.2, 0.4, of differences 1, 0.4, 0.8.
    assert {end: {n: v.item() for n, v in found.items()} for end, found in figures.items()} == {
        '_a2b': pytest.approx(dict(output_diversity=0.4 / 0.8, change=0.6 / 2.2)),
        '_b2a': pytest.approx(dict(output_diversity=0.0, change=1.8 / 2.2)),
        '_a': pytest.approx(dict(mean_doubt=(0.1 + 0.2) / (0.5 + 0.5))),
        '_b': pytest.approx(dict(mean_doubt=(8 + 0.5) / (0.5 + 0.5))),
        '': dict(max_logit=7.0),
    }


def test_one_direction_has_no_name_and_other_channels_no_change():
    model = SimpleNamespace(domains=('a2b',), translate=lambda images, *_, **__: images)
    images = flat(0.0, 1.0)
    (end, figures), *_ = health_figures.translation_figures(
        model, images, images.expand(-1, 3, -1, -1), {}
    ).items()
    assert (end, [*figures]) == ('', ['output_diversity'])


def test_translation_asks_the_device_for_nothing():
    """On the meta device there are no numbers: whoever asks for one fails."""
    images = torch.zeros(3, 1, 2, 2, device='meta')
    logits = dict.fromkeys(('real_logits', 'fake_logits'), torch.zeros((), device='meta'))
    groups = health_figures.translation_figures(TwoWays(), images, images, logits)
    assert all(value.is_meta for figures in groups.values() for value in figures.values())
