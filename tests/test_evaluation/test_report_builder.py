"""Scores of metrics, each with what it needs."""

import pytest
import torch
from mmengine.evaluator import BaseMetric
from torch import nn

from mmgan_lite.evaluation import Comparison, GANMetric, ModuleExtractor, Samples
from mmgan_lite.evaluation.baseline import RealBaseline
from mmgan_lite.evaluation.report_builder import ReportBuilder, score_names


class Mean(GANMetric):
    """Of the features."""

    score_names = ('mean',)
    settings = dict(order=1)

    def __init__(self):
        super().__init__()
        self.calls = 0

    def compute(self, comparison):
        self.calls += 1
        return {'mean': float(comparison.fake.features.mean())}


class Brightness(GANMetric):
    """Of the images; more than one fake."""

    needs = ('images',)
    score_names = ('brightness',)

    def compute(self, comparison):
        self.require(comparison, fake=2)
        assert comparison.drawn is None
        return {'brightness': float(comparison.fake.images.float().mean())}


class Drawn(GANMetric):
    needs = ('model', 'extractor')
    score_names = ('drawn',)

    def compute(self, comparison):
        return {'drawn': float(comparison.drawn.sum())}


NOTHING = Comparison(Samples(), Samples())
FEATURES = Comparison(Samples(torch.full((3, 2), 5.0)), Samples(torch.full((8, 2), 7.0)))
IMAGES = Comparison(
    Samples(images=torch.full((4, 1, 1, 1), 10, dtype=torch.uint8)),
    Samples(images=torch.full((6, 1, 1, 1), 20, dtype=torch.uint8)),
)


@pytest.fixture
def make_builder(tmp_path):
    def make(*metrics):
        extractor = ModuleExtractor(nn.Flatten(), 'pixels')
        return ReportBuilder(metrics, extractor, RealBaseline(None, extractor, tmp_path))

    return make


def test_each_metric_gets_what_it_needs(make_builder):
    drawn = Drawn()
    builder = make_builder(Brightness(), Mean(), drawn)
    report = builder.build(FEATURES, IMAGES, {drawn: torch.tensor([1.0, 2.0])})
    found = [(score.name, score.value, score.real_score) for score in report.scores]
    assert found == [
        ('brightness', 10, 20),
        ('mean[pixels]', 5, 7),
        ('drawn[pixels]', 3, None),
    ]
    assert report.scores[1].settings == dict(order=1)
    assert (report.extractor, report.num_features) == ('pixels', 2)
    assert (report.num_fakes, report.num_reals) == (3, 8)
    assert report.baseline == 'the real images in two halves of 4'


def test_images_alone(make_builder):
    report = make_builder(Brightness()).build(NOTHING, IMAGES, {})
    assert (report.extractor, report.extractor_sha256, report.num_features) == (None, None, None)
    assert (report.num_fakes, report.num_reals) == (4, 6)
    assert report.baseline == 'the real images in two halves of 3'


def test_model_alone(make_builder):
    drawn = Drawn()
    report = make_builder(drawn).build(NOTHING, NOTHING, {drawn: torch.ones(2)})
    assert report.extractor == 'pixels'
    assert (report.num_fakes, report.num_reals, report.baseline) == (None, None, None)


def test_no_real_score_of_too_few(make_builder):
    few = Comparison(IMAGES.fake, IMAGES.real[:3])
    (score,) = make_builder(Brightness()).build(NOTHING, few, {}).scores
    assert (score.value, score.real_score) == (10, None)


def test_real_scores_once_for_the_same_real_images(make_builder):
    metric = Mean()
    builder = make_builder(metric)
    for key, calls in (('a', 2), ('a', 3), ('b', 5), (None, 7), (None, 9)):
        assert builder.build(FEATURES, NOTHING, {}, key).scores[0].real_score == 7
        assert metric.calls == calls


def test_each_score_once(make_builder):
    with pytest.raises(ValueError, match=r"give each score once, got \['mean\[pixels\]', 'mean"):
        make_builder(Mean(), Mean()).build(FEATURES, NOTHING, {})


def test_names_before_there_are_scores():
    metrics = [Mean(), Brightness(), Drawn()]
    assert score_names(metrics, '[net]', 'net') == ['mean[net]', 'brightness', 'drawn[net]']
    assert score_names(metrics, '', 'inception-v3') == ['mean', 'brightness', 'drawn[inception-v3]']
    assert score_names([Brightness()]) == ['brightness']
    other = type('Other', (BaseMetric,), dict(process=None, compute_metrics=None))
    assert score_names([Mean(), other()]) is None
