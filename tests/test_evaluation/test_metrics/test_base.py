"""What all metrics have in common."""

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator

from mmgan_lite.evaluation import (
    Comparison,
    ConditionalAccuracy,
    DensityCoverage,
    GANMetric,
    PerceptualPathLength,
    PrecisionRecall,
    Samples,
    SlicedWassersteinDistance,
)
from mmgan_lite.evaluation.metrics.base import centered, squared_distances
from mmgan_lite.registry import METRICS


class Both(GANMetric):
    needs = ('features', 'model')


METRICS.import_from_location()
BUILT_IN = [
    metric
    for metric in METRICS.module_dict.values()
    if metric.__module__.startswith('mmgan_lite.evaluation.metrics.')
]
# The others compute what they have drawn from the model, or kept of pairs.
COMPARING = pytest.mark.parametrize(
    'metric',
    [m for m in BUILT_IN if not {'model', 'pairs'} & {*m.needs}],
    ids=lambda metric: metric.__name__,
)


def some_for(metric, num, seed):
    if 'images' not in metric.needs:
        return some(num, seed)
    stream = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (num, 2, 16, 17), generator=stream, dtype=torch.uint8)
    return Samples(labels=torch.arange(num) % 3, images=images)


def comparison_for(metric):
    return Comparison(some_for(metric, 30, 0), some_for(metric, 40, 1), some(50, 2))


def columns(samples):
    return (samples.features, samples.logits, samples.labels, samples.images)


def some(num, seed):
    stream = torch.Generator().manual_seed(seed)
    return Samples(
        torch.randn(num, 4, generator=stream),
        torch.randn(num, 3, generator=stream),
        torch.randint(3, (num,), generator=stream),
    )


def test_samples_are_cut_alike():
    samples = some(5, 0)[1:3]
    assert len(samples) == len(samples.logits) == len(samples.labels) == 2
    assert some(5, 0)[torch.tensor([4, 0])].labels.tolist() == some(5, 0).labels[[4, 0]].tolist()
    assert Samples(torch.zeros(3, 1))[:2].logits is None
    images = Samples(labels=torch.arange(4), images=torch.arange(4).view(4, 1, 1, 1))
    assert len(images) == 4
    assert images[1:3].images.flatten().tolist() == images[1:3].labels.tolist() == [1, 2]
    assert images[1:3].features.shape == (2, 0)


def test_needs_are_known_names():
    with pytest.raises(ValueError, match="needs of Odd must be .* got .* Did you mean 'logits'"):
        type('Odd', (GANMetric,), dict(needs=('logit',)))
    with pytest.raises(
        ValueError, match='needs of Odd must be a tuple of features, logits, .* got'
    ):
        type('Odd', (GANMetric,), dict(needs='model'))
    with pytest.raises(
        ValueError, match=r'needs of Odd must name either images or features.* Make two metrics'
    ):
        type('Odd', (GANMetric,), dict(needs=('images', 'logits')))


def test_metric_of_the_model_needs_no_images():
    assert not type('Alone', (Both,), dict(needs=('model',)))().needs_images
    assert Both().needs_images
    assert Both().compute_real_score(None) == {}


def test_names_have_the_extractor_where_scores_depend_on_it():
    tags = ('[net]', 'net')
    assert [m().tag(*tags) for m in (DensityCoverage, Both)] == ['[net]', '[net]']
    assert not SlicedWassersteinDistance().needs_extractor
    assert SlicedWassersteinDistance().tag(*tags) == ''
    assert PerceptualPathLength().needs_extractor
    # Inception's tag is empty.
    assert DensityCoverage().tag('', 'inception-v3') == ''
    assert PerceptualPathLength().tag('', 'inception-v3') == '[inception-v3]'


def test_metric_for_an_earlier_version():
    with pytest.warns(FutureWarning) as found:

        class Old(GANMetric):
            needs_logits = True
            needs_train = False

            def compute_floor(self, comparison):
                return {'old': 2.0}

    assert Old.needs == ('features', 'logits')
    assert Old().compute_real_score(None) == {'old': 2.0}
    first, second, third = (str(warning.message) for warning in found)
    assert first.startswith('needs_logits of Old has a new name: write needs = ')
    assert second.endswith("write needs = ('features', 'logits').")
    assert third == 'compute_floor of Old has a new name: write compute_real_score.'
    assert {warning.filename for warning in found} == {__file__}
    with pytest.warns(FutureWarning, match='needs_labels of Unconditional has a new name'):
        without = type('Unconditional', (ConditionalAccuracy,), dict(needs_labels=False))
    assert without.needs == ('logits',)


@pytest.mark.parametrize('metric', [DensityCoverage, PrecisionRecall])
def test_argument_under_its_old_name(metric):
    with pytest.warns(FutureWarning, match='neighbours is called neighbors now'):
        assert metric(neighbours=7).settings == dict(neighbors=7)


def test_squared_distances():
    left, right = torch.randn(5, 3) + 50, torch.randn(7, 3) + 50
    found = squared_distances(*centered(left, right))
    expected = (left[:, None] - right).square().sum(2)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (squared_distances(left, left) >= 0).all()


@pytest.mark.parametrize('metric', BUILT_IN, ids=lambda metric: metric.__name__)
class TestContract:
    def test_is_one_of_mmengine(self, metric):
        assert isinstance(METRICS.build(dict(type=metric.__name__)), BaseMetric)

    def test_another_evaluator_is_an_error(self, metric):
        name = metric.__name__
        if 'pairs' in metric.needs:
            pytest.skip('It keeps the pairs itself.')
        evaluator = Evaluator(metric())
        evaluator.process([dict(fake_image=None)], dict(inputs=None))
        with pytest.raises(
            ValueError, match=rf"{name} must be in .* metrics=\[dict\(type='{name}'"
        ):
            evaluator.evaluate(1)

    def test_setting_is_in_the_report(self, metric):
        for name, value in metric().settings.items():
            assert metric(**{name: value + 1}).settings[name] == value + 1
            if isinstance(value, int):
                with pytest.raises(ValueError, match=f'{name} must be an int of at least 1, got 0'):
                    metric(**{name: 0})


@COMPARING
class TestComparison:
    def test_finite_plain_numbers(self, metric):
        comparison = comparison_for(metric)
        for scores in (metric().compute(comparison), metric().compute_real_score(comparison)):
            assert scores
            for name, value in scores.items():
                assert isinstance(value, float | int), name
                assert torch.tensor(value).isfinite(), name
        assert metric().compute_metrics([comparison]) == metric().compute(comparison)

    def test_constant_images_give_finite_numbers(self, metric):
        one = some_for(metric, 1, 3)
        ones = [c if c is None else c.expand(30, *c.shape[1:]) for c in columns(one)]
        same, train = Samples(*ones), some(30, 4)
        fake, real = some_for(metric, 30, 0), some_for(metric, 40, 1)
        for fakes, reals in ((same, real), (fake, same), (same, same)):
            for value in metric().compute(Comparison(fakes, reals, train)).values():
                assert torch.tensor(value).isfinite()

    def test_no_images(self, metric):
        with pytest.raises(ValueError, match=f'{metric.__name__} needs at least .* images, got 0'):
            metric().compute(Comparison(some(0, 0), some_for(metric, 40, 1), some(50, 2)))

    def test_does_not_change_what_it_is_given(self, metric):
        comparison, expected = comparison_for(metric), comparison_for(metric)
        metric().compute(comparison)
        for part in ('fake', 'real', 'train'):
            pairs = (columns(getattr(c, part)) for c in (comparison, expected))
            for found, before in zip(*pairs, strict=True):
                assert (found is before is None) or torch.equal(found, before)
