"""One evaluation of fakes against real images, by itself and in MMEngine's loops."""

import json

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn

from mmgan_lite.datasets import InMemoryImageDataset
from mmgan_lite.evaluation import (
    MSSSIM,
    ConditionalAccuracy,
    DensityCoverage,
    FrechetDistance,
    GANEvaluator,
    GANMetric,
    InceptionScore,
    KernelDistance,
    Memorization,
    ModeCoverage,
    ModuleExtractor,
    PairedImageMetric,
    PerceptualPathLength,
    PrecisionRecall,
    Samples,
    SlicedWassersteinDistance,
    SpreadSampler,
    torch_fidelity_adapter,
)
from mmgan_lite.evaluation.evaluator import _interleave
from mmgan_lite.models import GAN
from mmgan_lite.registry import EVALUATOR, METRICS, MODELS

stream = torch.Generator().manual_seed(0)
REALS = torch.randint(0, 256, (40, 1, 2, 2), dtype=torch.uint8, generator=stream)
FAKES = torch.randint(0, 200, (40, 1, 2, 2), dtype=torch.uint8, generator=stream)
TRAIN = torch.randint(0, 256, (90, 1, 2, 2), dtype=torch.uint8, generator=stream)

CLOTHES = dict(classes=('shirt', 'bag'))


class Pixels(nn.Module):
    """Features are the pixels; the class is the brightest one."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        return images.flatten(1), images.flatten(1)


class FourPixels(Pixels):
    """The pixels of 2x2 places of larger images."""

    def forward(self, images):
        return super().forward(nn.functional.interpolate(images, (2, 2)))


@METRICS.register_module()
class PathLength(GANMetric):
    """Mean squared change of the images, for a unit of change of the latents."""

    needs = ('model',)
    score_names = ('path_length',)

    def compute(self, comparison):
        assert len(comparison.fake) == len(comparison.real) == 0
        model = comparison.model
        latents = model.sample_latents(16).chunk(2)
        first, second = (model.sample(8, latents=part, use_ema=False) for part in latents)
        change = (first - second).square().sum()
        return {'path_length': float(change / (latents[0] - latents[1]).square().sum())}


class ParametersAndImages(GANMetric):
    needs = ('features', 'model')

    def compute(self, comparison):
        num = sum(parameter.numel() for parameter in comparison.model.parameters())
        return {'parameters': num / len(comparison.fake)}


@MODELS.register_module()
class ScaledLatents(nn.Module):
    """An image is its latent times 3: the path length is 9."""

    latent_dim, image_shape, num_classes = 784, (1, 28, 28), None

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(3.0))

    def forward(self, latents, labels=None):
        return self.scale * latents.view(-1, *self.image_shape)


@METRICS.register_module()
class Names(BaseMetric):
    default_prefix = 'names'

    def process(self, data_batch, data_samples):
        self.results.extend(sorted(sample) for sample in data_samples)

    def compute_metrics(self, results):
        return dict(count=len(results))


class DeepDataset(InMemoryImageDataset):
    """Its items have 16 bits."""

    def prepare_data(self, idx):
        item = super().prepare_data(idx)
        return {**item, 'inputs': (item['inputs'].int() * 257).to(torch.uint16)}


def floats(images):
    return images.flatten(1) / 127.5 - 1


def larger(images):
    """2x2 pixels as 16x16."""
    return images.repeat_interleave(8, 2).repeat_interleave(8, 3)


@pytest.fixture
def make_evaluator(tmp_path):
    def make(*metrics, **kwargs):
        extractor = kwargs.pop('extractor', None) or ModuleExtractor(Pixels(), 'pixels')
        kwargs.setdefault('cache_dir', tmp_path / 'cache')
        return GANEvaluator(metrics or [FrechetDistance()], extractor, **kwargs)

    return make


def feed(evaluator, fakes=FAKES, reals=REALS, labels=None, batch=7, **extra):
    """What a loop does, with a real image for each fake."""
    for start in range(0, max(len(fakes), len(reals)), batch):
        stop = start + batch
        samples = [BaseDataElement(fake_image=image, metainfo=extra) for image in fakes[start:stop]]
        data = dict(inputs=reals[start:stop])
        if labels is not None:
            data['labels'] = labels[start:stop]
            for sample, label in zip(samples, data['labels'], strict=True):
                sample.gt_label = label
        evaluator.process(samples, data)
    return evaluator.evaluate(len(reals))


def test_scores_are_those_of_the_features(make_evaluator):
    evaluator = make_evaluator()
    scores = feed(evaluator)
    expected = torch_fidelity_adapter.frechet_distance(floats(FAKES), floats(REALS))
    assert scores == {'FID[pixels]': pytest.approx(expected, rel=1e-5)}
    assert feed(evaluator) == pytest.approx(scores)  # nothing is left over from before


def test_protocol_is_complete(make_evaluator):
    evaluator = make_evaluator()
    evaluator.dataset_meta = dict(dataset='Noise', split='test')
    feed(evaluator, from_ema=True)
    report = evaluator.report.to_dict()
    assert report['protocol'] == dict(
        extractor='pixels',
        extractor_sha256=evaluator.extractor.fingerprint,
        num_features=4,
        num_fakes=40,
        weights='EMA',
        real_data='Noise test',
        num_reals=40,
        baseline='the real images in two halves of 20',
        fake_data=None,
        images=None,
        direction=None,
        num_pairs=None,
        pairs_sha256=None,
    )
    json.dumps(report)
    feed(evaluator, from_ema=False)
    assert evaluator.report.weights == 'last'


class FirstChannel(ModuleExtractor):
    def describe_channels(self, channels):
        return f'first of {channels}'


def test_protocol_has_what_happened_to_the_channels(make_evaluator):
    evaluator = make_evaluator(extractor=FirstChannel(Pixels(), 'first'))
    feed(evaluator, FAKES.expand(-1, 4, -1, -1), REALS.expand(-1, 4, -1, -1))
    assert '40 images of unnamed data (first of 4), seen through first' in evaluator.report.table()


def test_real_images_of_16_bits_are_rounded_to_8(make_evaluator):
    deep = REALS.to(torch.int32) * 257 + torch.randint(-128, 129, REALS.shape)
    deep = deep.clamp(0, 65535).to(torch.uint16)
    expected = feed(make_evaluator(train_dataset=InMemoryImageDataset(TRAIN)))
    evaluator = make_evaluator(train_dataset=DeepDataset(TRAIN))
    assert feed(evaluator, reals=deep) == expected
    assert ' (16 bits rounded to 8), seen through pixels' in evaluator.report.protocol()


def translate(evaluator, size=40, batch=7, **extra):
    """What a loop does on pairs: FAKES are the outputs, REALS the targets, TRAIN the sources."""
    for start in range(0, len(FAKES), batch):
        part = slice(start, start + batch)
        columns = (TRAIN[: len(FAKES)][part], FAKES[part], REALS[part])
        samples = [
            BaseDataElement(source=a, fake_image=b, target=c, metainfo=dict(domain='a2b', **extra))
            for a, b, c in zip(*columns, strict=True)
        ]
        evaluator.process(samples, dict(source=columns[0], target=columns[2]))
    return evaluator.evaluate(size)


def test_outputs_of_a_translation_against_all_targets_and_their_own(make_evaluator):
    evaluator = make_evaluator(PairedImageMetric(), FrechetDistance())
    evaluator.dataset_meta = dict(dataset='maps', split='val')
    scores = translate(evaluator, from_ema=True)
    fid = torch_fidelity_adapter.frechet_distance(floats(FAKES), floats(REALS))
    assert scores['FID[pixels]'] == pytest.approx(fid, rel=1e-5)
    for name, images in (('L1', FAKES), ('source_L1', TRAIN[:40])):
        expected = (images.double() - REALS.double()).abs().mean() / 255
        assert scores[name] == pytest.approx(expected.item(), rel=1e-6)
    assert evaluator.score_names == ['L1', 'PSNR', 'SSIM', 'nearest_target', 'FID[pixels]']
    assert [score.name for score in evaluator.report.scores] == [*scores]
    report = evaluator.report
    text = report.protocol()
    assert text.startswith('40 fakes (a2b, EMA weights) against 40 images of maps val, seen thr')
    sha256 = report.pairs_sha256
    assert f'; 40 pairs of maps val (a2b, EMA weights), sha256 {sha256[:12]}' in text
    assert {s.real_score for s in report.scores if 'L1' in s.name} == {None}
    assert translate(evaluator) == scores  # nothing is left over from before


def test_pairs_alone_need_no_extractor():
    evaluator = GANEvaluator([PairedImageMetric()])
    evaluator.dataset_meta = dict(dataset='maps')
    expected = translate(evaluator, from_ema=False)
    assert evaluator.report.protocol().startswith('40 pairs of maps (a2b, last weights), sha256 ')
    sha256 = evaluator.report.pairs_sha256
    # Of other data there is another checksum; what samplers added does not count.
    scores = translate(evaluator, size=39)
    assert evaluator.report.num_pairs == 39
    assert evaluator.report.pairs_sha256 != sha256
    assert scores['L1'] != expected['L1']
    by_mmengine = Evaluator([PairedImageMetric()])
    assert translate(by_mmengine) == expected


def test_real_score_of_a_translation_is_of_training_targets(make_evaluator):
    pairs = [dict(source=255 - image, target=image) for image in TRAIN]
    translate(evaluator := make_evaluator(train_dataset=pairs))
    feed(images := make_evaluator(train_dataset=InMemoryImageDataset(TRAIN)))
    assert evaluator.report.scores == images.report.scores


def test_pairs_of_a_model_that_does_not_translate(make_evaluator):
    with pytest.raises(ValueError, match='samples must have target, got one without. Evaluate a t'):
        feed(make_evaluator(PairedImageMetric()))


def test_log_has_the_protocol_and_the_real_scores(make_evaluator, monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmgan_lite.evaluation.evaluator.print_log', lambda message, *args: lines.append(message)
    )
    evaluator = make_evaluator()
    feed(evaluator)
    assert evaluator.report.table() in lines


def test_real_score_is_of_training_images(make_evaluator):
    train = InMemoryImageDataset(TRAIN)
    evaluator = make_evaluator(train_dataset=train)
    feed(evaluator)
    chosen = torch.linspace(0, 89, 40).round().long()
    expected = torch_fidelity_adapter.frechet_distance(floats(TRAIN[chosen]), floats(REALS))
    assert evaluator.report.scores[0].real_score == pytest.approx(expected, rel=1e-4)
    assert evaluator.report.baseline == '40 images of unnamed training data'


def test_real_score_of_halves(make_evaluator):
    evaluator = make_evaluator()
    # All real images alike, but for the order: so are the halves.
    feed(evaluator, reals=REALS[:1].expand(40, -1, -1, -1))
    assert evaluator.report.scores[0].real_score == pytest.approx(0, abs=1e-6)


def test_fewer_fakes_than_real_images(make_evaluator):
    evaluator = make_evaluator(num_samples=15)
    expected = torch_fidelity_adapter.frechet_distance(floats(FAKES[:15]), floats(REALS))
    assert feed(evaluator)['FID[pixels]'] == pytest.approx(expected, rel=1e-5)
    assert (evaluator.report.num_fakes, evaluator.report.num_reals) == (15, 40)


def test_more_fakes_than_real_images(make_evaluator):
    """The loader repeats its images; each real one counts once."""
    evaluator = make_evaluator(num_samples=40)
    repeated = torch.cat([REALS[:25], REALS[:15]])
    for start in range(0, 40, 7):
        samples = [dict(fake_image=image) for image in FAKES[start : start + 7]]
        evaluator.process(samples, dict(inputs=repeated[start : start + 7]))
    scores = evaluator.evaluate(25)
    expected = torch_fidelity_adapter.frechet_distance(floats(FAKES), floats(REALS[:25]))
    assert scores['FID[pixels]'] == pytest.approx(expected, rel=1e-5)


def test_too_few_fakes_for_the_number_asked(make_evaluator):
    with pytest.raises(
        ValueError, match=r'num_samples=41 needs as many .* got 40. Set it in its Repeating'
    ):
        feed(make_evaluator(num_samples=41))


def test_each_image_is_seen_once_and_of_real_ones_a_few_again(make_evaluator):
    metrics = [FrechetDistance(), InceptionScore(splits=2), dict(type='DensityCoverage')]
    train = InMemoryImageDataset(TRAIN)
    evaluator = make_evaluator(*metrics, train_dataset=train)
    feed(evaluator)
    # Fakes, real images, and of the training images those that stand in for fakes.
    assert evaluator.extractor.module.seen == 40 + 40 + 40
    feed(evaluator)
    assert evaluator.extractor.module.seen == 40 + 40 + 40 + 40
    again = make_evaluator(*metrics, train_dataset=train)  # another process, with the files
    scores = feed(again)
    # And a few of each file, for comparison.
    assert again.extractor.module.seen == 40 + 4 + 4
    assert scores == pytest.approx(feed(evaluator))


def test_all_training_images_where_a_metric_needs_them(make_evaluator):
    evaluator = make_evaluator(Memorization(), train_dataset=InMemoryImageDataset(TRAIN))
    feed(evaluator)
    assert evaluator.extractor.module.seen == 40 + 40 + 90


def test_loader_that_leaves_images_out(make_evaluator):
    """The loop gives the size of all data; the padding of the last turn is no image."""
    evaluator = make_evaluator(num_samples=15)
    positions = [*SpreadSampler(REALS, num_samples=15), 39]
    for start in range(0, 16, 8):
        samples = [dict(fake_image=image) for image in FAKES[start : start + 8]]
        evaluator.process(samples, dict(inputs=REALS[positions[start : start + 8]]))
    expected = torch_fidelity_adapter.frechet_distance(
        floats(FAKES[:15]), floats(REALS[positions[:15]])
    )
    assert evaluator.evaluate(40)['FID[pixels]'] == pytest.approx(expected, rel=1e-5)
    assert (evaluator.report.num_fakes, evaluator.report.num_reals) == (15, 15)


def test_train_dataset_of_other_classes(make_evaluator):
    evaluator = make_evaluator(train_dataset=InMemoryImageDataset(TRAIN, metainfo=CLOTHES))
    evaluator.dataset_meta = dict(split='test')  # without classes
    evaluator.dataset_meta = CLOTHES
    with pytest.raises(
        ValueError, match=r"train_dataset must .* got \('shirt', 'bag'\)... for \('0', '1'\)"
    ):
        evaluator.dataset_meta = dict(classes=('0', '1'))


def test_conditional_model(make_evaluator):
    evaluator = make_evaluator(ConditionalAccuracy())
    labels = FAKES.flatten(1).int().argmax(1)
    assert feed(evaluator, labels=labels) == {'accuracy[pixels]': 1.0}
    # How often the real images' brightest pixel is their label.
    assert 0 <= evaluator.report.scores[0].real_score < 1


def test_memorization_of_copies(make_evaluator):
    evaluator = make_evaluator(Memorization(), train_dataset=InMemoryImageDataset(TRAIN))
    assert feed(evaluator, fakes=TRAIN[:40])['memorization[pixels]'] > 0.99
    assert evaluator.report.scores[0].real_score == 0.5


def test_names_are_known_beforehand(make_evaluator, make_gan):
    kinds = [
        ConditionalAccuracy,
        DensityCoverage,
        FrechetDistance,
        InceptionScore,
        KernelDistance,
        Memorization,
        ModeCoverage,
        PrecisionRecall,
        MSSSIM,
        PerceptualPathLength,
    ]
    registered = {k for k in METRICS.module_dict.values() if k.__module__.startswith('mmgan_lite.')}
    assert {*kinds, SlicedWassersteinDistance, PairedImageMetric} == registered
    settings = {
        InceptionScore: dict(splits=2),
        KernelDistance: dict(subsets=2, subset_size=20),
        PerceptualPathLength: dict(space='z', num_pairs=5),
    }
    metrics = [kind(**settings.get(kind, {})) for kind in kinds]
    extractor = ModuleExtractor(FourPixels(), 'pixels')
    train = InMemoryImageDataset(larger(TRAIN))
    evaluator = make_evaluator(*metrics, extractor=extractor, train_dataset=train)
    evaluator.bind_model(make_gan())
    names = evaluator.score_names
    assert [*feed(evaluator, larger(FAKES), larger(REALS), torch.arange(40) % 4)] == names


def test_names_that_are_not_known_beforehand(make_evaluator):
    assert make_evaluator(FrechetDistance(), Names()).score_names is None
    assert make_evaluator(SlicedWassersteinDistance()).score_names is None


def test_other_metrics_in_the_list(make_evaluator):
    evaluator = make_evaluator(FrechetDistance(), dict(type='Names'))
    assert feed(evaluator)['names/count'] == 40


def test_inception_alone_has_plain_names(make_evaluator, monkeypatch):
    monkeypatch.setattr(ModuleExtractor, 'tag', '')
    assert set(feed(make_evaluator())) == {'FID'}


def test_constant_fakes(make_evaluator):
    scores = feed(
        make_evaluator(dict(type='ModeCoverage'), dict(type='InceptionScore', splits=1)),
        fakes=FAKES[:1].expand(40, -1, -1, -1),
    )
    assert scores['modes[pixels]'] == 1
    assert scores['IS[pixels]'] == pytest.approx(1)


def test_one_fake(make_evaluator):
    with pytest.raises(ValueError, match='FrechetDistance needs at least 2 fake images, got 1'):
        feed(make_evaluator(num_samples=1))


def test_half_too_small_for_a_real_score(make_evaluator):
    evaluator = make_evaluator(dict(type='PrecisionRecall', neighbors=30))
    feed(evaluator)
    assert [score.real_score for score in evaluator.report.scores] == [None, None]


def test_metric_of_the_model_in_the_validation_loop(repo, shrunk_config, tmp_path):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg.model.generator = dict(type='ScaledLatents')
    cfg = with_evaluation(cfg, tmp_path)
    cfg.val_evaluator = dict(type='GANEvaluator', metrics=[dict(type='PathLength')])
    runner = Runner.from_cfg(cfg)
    assert runner.val() == {'path_length': pytest.approx(9, rel=1e-5)}
    report = runner.val_loop.evaluator.report
    assert report.table().splitlines()[0] == 'scores of the model, without an extractor'
    assert json.loads(json.dumps(report.to_dict()))['scores']['path_length']['real_score'] is None


def test_metric_of_the_model_beside_one_of_images(make_evaluator, make_gan):
    evaluator = make_evaluator(FrechetDistance(), ParametersAndImages())
    assert evaluator.score_names is None
    gan = make_gan()
    evaluator.bind_model(gan)
    scores = feed(evaluator)
    assert scores['FID[pixels]'] == feed(make_evaluator())['FID[pixels]']
    assert scores['parameters[pixels]'] == sum(p.numel() for p in gan.parameters()) / 40
    assert evaluator.report.scores[1].real_score is None


def test_metric_of_the_model_extracts_nothing(make_evaluator, make_gan):
    evaluator = make_evaluator(PathLength())
    assert evaluator.score_names == ['path_length']
    evaluator.bind_model(make_gan())
    evaluator.process([None], None)
    assert evaluator.evaluate(1)['path_length'] > 0
    assert evaluator.extractor.module.seen == 0


class ImageSums(GANMetric):
    """Sums of the images that it gets, and how many there are."""

    needs = ('images',)

    def __init__(self, num_images=100):
        super().__init__()
        self.num_images = num_images

    def compute(self, comparison):
        parts = dict(fake=comparison.fake, real=comparison.real)
        return {
            f'{kind} {what}': value
            for kind, samples in parts.items()
            for what, value in (('sum', int(samples.images.sum())), ('num', len(samples)))
        }


def test_metric_of_images_beside_one_of_features(make_evaluator):
    evaluator = make_evaluator(FrechetDistance(), ImageSums())
    scores = feed(evaluator)
    assert scores.pop('FID[pixels]') == feed(make_evaluator())['FID[pixels]']
    sums = {'fake sum': int(FAKES.sum()), 'real sum': int(REALS.sum())}
    assert scores == {**sums, 'fake num': 40, 'real num': 40}
    assert feed(evaluator)['fake sum'] == sums['fake sum']  # nothing is left over from before
    # The halves of the real images.
    by_name = {score.name: score.real_score for score in evaluator.report.scores}
    assert by_name['fake sum'] + by_name['real sum'] == sums['real sum']


def test_metric_of_images_needs_no_extractor(tmp_path):
    train = InMemoryImageDataset(TRAIN)
    evaluator = GANEvaluator([ImageSums()], train_dataset=train, cache_dir=tmp_path)
    feed(evaluator, from_ema=True)
    assert evaluator.report.protocol() == (
        '40 fakes (EMA weights) against 40 images of unnamed data; '
        'real-data baseline: 40 images of unnamed training data'
    )
    chosen = torch.linspace(0, 89, 40).round().long()
    assert evaluator.report.scores[0].real_score == int(TRAIN[chosen].sum())
    assert not any(tmp_path.iterdir())


def test_metrics_of_images_get_at_most_their_number(make_evaluator):
    evaluator = make_evaluator(FrechetDistance(), ImageSums(7), num_samples=30)
    scores = feed(evaluator)
    assert (scores['fake num'], scores['real num']) == (7, 7)
    # No more than other metrics compare.
    assert feed(make_evaluator(ImageSums(), num_samples=30))['fake num'] == 30


def test_images_of_a_loader_that_repeats_them(make_evaluator):
    evaluator = make_evaluator(ImageSums(), num_samples=40)
    for start in range(0, 40, 20):
        samples = [dict(fake_image=image) for image in FAKES[start : start + 20]]
        evaluator.process(samples, dict(inputs=REALS[:20]))
    scores = evaluator.evaluate(20)
    assert (scores['fake num'], scores['real num']) == (40, 20)
    assert scores['real sum'] == int(REALS[:20].sum())


def test_path_length_through_the_extractor(make_evaluator, make_gan):
    metric = PerceptualPathLength(space='z', num_pairs=40)
    evaluator, gan = make_evaluator(FrechetDistance(), metric), make_gan().eval()
    evaluator.bind_model(gan)
    score = feed(evaluator)['PPL_Z_end[pixels]']
    with torch.no_grad():
        lengths = metric.draw(gan, evaluator.extractor)
    kept = lengths.sort().values[:40]  # of 40 the percentiles are the first and the last
    assert score == pytest.approx(float(kept.mean()))
    assert evaluator.report.scores[1].real_score is None
    # And without a loop.
    fake, real = (Samples(floats(images)) for images in (FAKES, REALS))
    report = evaluator.compare(fake, real)
    assert report.scores[1].value == score


def test_path_length_of_a_model_that_has_none(make_evaluator, make_gan):
    """It is said before the first image is drawn."""
    evaluator = make_evaluator(PerceptualPathLength())
    with pytest.raises(ValueError, match="space='w' needs a generator with mapping.* MLPGenerator"):
        evaluator.bind_model(make_gan())


def test_model_that_nobody_bound():
    with pytest.raises(
        ValueError, match='PathLength needs the model, but bind_model was not called'
    ):
        GANEvaluator([PathLength()]).process([{}], None)


def test_mistakes_of_the_config(make_evaluator):
    with pytest.raises(ValueError, match='extractor must be a FeatureExtractor, got Flatten'):
        make_evaluator(extractor=nn.Flatten())
    with pytest.raises(ValueError, match='FrechetDistance needs extractor, got None. Add extract'):
        GANEvaluator([PathLength(), FrechetDistance()])
    with pytest.raises(ValueError, match='num_samples must be an int of at least 1, got 0'):
        make_evaluator(num_samples=0)
    with pytest.raises(ValueError, match='Memorization needs train_dataset, got None'):
        make_evaluator(Memorization())
    with pytest.raises(TypeError, match="no argument 'num_sampels'.* Did you mean 'num_samples'"):
        EVALUATOR.build(dict(type='GANEvaluator', metrics=[], num_sampels=3))
    with pytest.raises(ValueError, match='metrics must give each score once, got .*FID'):
        feed(make_evaluator(FrechetDistance(), FrechetDistance()))


def test_metric_that_lacks_something(make_evaluator):
    flat = ModuleExtractor(nn.Flatten(), 'flat')
    with pytest.raises(ValueError, match='InceptionScore needs an extractor with logits'):
        feed(make_evaluator(InceptionScore(), extractor=flat))
    with pytest.raises(ValueError, match='ConditionalAccuracy needs fakes with labels'):
        feed(make_evaluator(ConditionalAccuracy()))


def test_model_without_images(make_evaluator):
    with pytest.raises(ValueError, match='data samples must have fake_image, got one without'):
        make_evaluator().process([dict(fake_image=FAKES[0]), {}], dict(inputs=REALS[:2]))


def test_empty_train_dataset(make_evaluator):
    with pytest.raises(ValueError, match='train_dataset must hold images, got 0'):
        feed(make_evaluator(train_dataset=[]))


def test_no_images(make_evaluator):
    with pytest.raises(ValueError, match='must give images to compare with, got none'):
        make_evaluator().evaluate(0)


def test_data_samples_of_another_project(make_evaluator):
    """A list of images, and labels in data samples."""
    evaluator = make_evaluator(ConditionalAccuracy())
    labels = FAKES.flatten(1).int().argmax(1)
    fakes = [dict(fake_image=i, gt_label=label) for i, label in zip(FAKES, labels, strict=True)]
    annotations = [BaseDataElement(gt_label=label[None]) for label in labels]
    evaluator.process(fakes, dict(inputs=list(REALS), data_samples=annotations))
    assert evaluator.evaluate(40) == {'accuracy[pixels]': 1.0}


def test_default_cache_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    evaluator = GANEvaluator([FrechetDistance()], ModuleExtractor(Pixels(), 'pixels'))
    assert evaluator.cache_dir == tmp_path / 'mmgan_lite' / 'features'
    feed(evaluator)
    (path,) = evaluator.cache_dir.iterdir()
    assert path.name.startswith('unnamed-1x2x2-pixels-')
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    evaluator = GANEvaluator([FrechetDistance()], ModuleExtractor(Pixels(), 'pixels'))
    assert evaluator.cache_dir == tmp_path / 'home' / '.cache' / 'mmgan_lite' / 'features'


def with_evaluation(cfg, tmp_path, prefix='val', **evaluator):
    """The loop and the evaluator as a config has them."""
    cfg[f'{prefix}_dataloader'] = dict(
        batch_size=8,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='mmgan_lite.image_collate'),
        dataset=dict(type='DigitsDataset', image_size=28, indices=30),
    )
    cfg[f'{prefix}_cfg'] = dict()
    cfg[f'{prefix}_evaluator'] = dict(
        type='GANEvaluator',
        extractor=dict(type='MNISTClassifier'),
        metrics=[dict(type='FrechetDistance'), dict(type='ModeCoverage')],
        cache_dir=str(tmp_path / 'cache'),
        **evaluator,
    )
    return cfg


def test_curve_during_training(repo, shrunk_config, tmp_path):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py')
    cfg = with_evaluation(cfg, tmp_path)
    cfg.train_cfg.val_interval = 1
    runner = Runner.from_cfg(cfg)
    runner.train()
    curve = runner.message_hub.get_scalar('val/FID[mnist-classifier]').data[0]
    assert len(curve) == 2
    assert (curve > 10).all()
    (log,) = runner.work_dir and list((tmp_path / 'work').rglob('*.log'))
    text = log.read_text()
    assert 'FID[mnist-classifier]' in text
    assert 'real-data baseline: the real images in two halves of 15' in text


def test_rows_of_several_processes_in_turns():
    parts = [torch.tensor([0, 3, 6]), torch.tensor([1, 4]), torch.tensor([2, 5])]
    assert _interleave(parts).tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_more_fakes_through_the_test_loop(repo, shrunk_config, tmp_path):
    cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28_conditional.py')
    cfg = with_evaluation(cfg, tmp_path, 'test', num_samples=50)
    cfg.test_dataloader.sampler = dict(type='RepeatingSampler', num_samples=50)
    runner = Runner.from_cfg(cfg)
    metrics = runner.test()
    assert set(metrics) == {f'{n}[mnist-classifier]' for n in ('FID', 'modes', 'mode_kl')}
    report = runner.test_loop.evaluator.report
    assert (report.num_fakes, report.num_reals) == (50, 30)


def test_found_from_another_projects_config(tmp_path):
    init_default_scope('mmengine')
    evaluator = EVALUATOR.build(
        dict(
            type='mmgan_lite.GANEvaluator',
            extractor=dict(type='MNISTClassifier'),
            metrics=[dict(type='FrechetDistance')],
            train_dataset=dict(type='DigitsDataset'),
            cache_dir=str(tmp_path),
        )
    )
    assert isinstance(evaluator.gan_metrics[0], FrechetDistance)


TWO_PROCESSES = """
import json
import sys
from pathlib import Path
import torch
from mmengine.dist import get_dist_info
from torch import nn
from mmgan_lite.evaluation import FrechetDistance, GANEvaluator, ModuleExtractor
from mmgan_lite.evaluation import PairedImageMetric, PerceptualPathLength, RepeatingSampler
from mmgan_lite.evaluation import SlicedWassersteinDistance, SpreadSampler
from mmgan_lite.models import GAN

torch.distributed.init_process_group('gloo')
rank, world = get_dist_info()
images = torch.load(sys.argv[1])
fakes, reals = images['fakes'], images['reals']
found = {}
for name, num in (('same', None), ('more', 20), ('less', 5), ('spread', 7)):
    evaluator = GANEvaluator(
        [FrechetDistance()],
        ModuleExtractor(nn.Flatten(), 'pixels'),
        num_samples=num,
        cache_dir=sys.argv[2])
    sampler = SpreadSampler if name == 'spread' else RepeatingSampler
    positions = list(range(len(reals)) if num is None else sampler(reals, num))
    if num is None:  # as DefaultSampler does: dealt out, and padded from the first again
        positions = [p % len(reals) for p in range(rank, len(reals) + 1, world)]
    # The place in the order decides which fake it is.
    for step, position in enumerate(positions):
        fake = fakes[(step * world + rank) % len(fakes)]
        evaluator.process([dict(fake_image=fake)], dict(inputs=reals[[position]]))
    scores = evaluator.evaluate(len(reals))
    found[name] = (scores['FID[pixels]'], evaluator.report.num_reals)
try:
    GANEvaluator(
        [FrechetDistance()], ModuleExtractor(nn.Flatten(), 'pixels'), num_samples=99,
        cache_dir=sys.argv[2]).evaluate(0)
except ValueError as error:
    found['error'] = str(error)
# Metrics of the images and of the model.
gan = GAN(**images['networks']).eval()
gan.load_state_dict(images['weights'])
path_length = PerceptualPathLength(space='z', num_pairs=30, batch_size=4)
metrics = [SlicedWassersteinDistance(), path_length]
evaluator = GANEvaluator(metrics, ModuleExtractor(nn.Flatten(), 'pixels'), cache_dir=sys.argv[2])
evaluator.bind_model(gan)
fakes, reals = images['patches'][0], images['patches'][1, :11]
for place in range(rank, len(reals) + 1, world):
    evaluator.process([dict(fake_image=fakes[place])], dict(inputs=reals[[place % len(reals)]]))
found['metrics'] = evaluator.evaluate(len(reals))
found['numbers'] = (evaluator.report.num_fakes, evaluator.report.num_reals)
# Of pairs.
paired = GANEvaluator([PairedImageMetric()])
for place in range(rank, len(reals) + 1, world):
    place %= len(reals)
    pair = dict(fake_image=fakes[place], target=reals[place], source=fakes[place - 1])
    paired.process([pair], {})
found['pairs'] = paired.evaluate(len(reals))
found['sha256'] = paired.report.pairs_sha256
if rank == 1:
    path_length.draw = lambda model, extractor: 1 / 0
evaluator.process([dict(fake_image=fakes[0])], dict(inputs=reals[:1]))
try:
    evaluator.evaluate(1)
except ZeroDivisionError:
    found['error of the second'] = True
torch.distributed.barrier()
torch.distributed.destroy_process_group()
Path(sys.argv[2], f'rank_{rank}.json').write_text(json.dumps(found))
"""
NETWORKS = dict(
    generator=dict(type='MLPGenerator', latent_dim=6, image_shape=(1, 4, 4), hidden_dims=(8,)),
    discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4), hidden_dims=(8,)),
    loss=dict(type='NonSaturatingGANLoss'),
)


def test_two_processes_count_no_image_twice(torchrun, tmp_path):
    script = tmp_path / 'evaluate.py'
    script.write_text(TWO_PROCESSES)
    gan = GAN(**NETWORKS).eval()
    # In an image of 7x7 there is one patch, so neither order nor places count.
    patches = torch.randint(0, 256, (2, 12, 1, 7, 7), dtype=torch.uint8)
    shared = dict(networks=NETWORKS, weights=gan.state_dict(), patches=patches)
    torch.save(dict(fakes=FAKES[:21], reals=REALS[:11], **shared), tmp_path / 'images.pt')
    cache = tmp_path / 'cache'
    torchrun(script, tmp_path / 'images.pt', cache)
    path_length = PerceptualPathLength(space='z', num_pairs=30, batch_size=4)
    metrics = [SlicedWassersteinDistance(), path_length]
    alone = GANEvaluator(metrics, ModuleExtractor(nn.Flatten(), 'pixels'), cache_dir=tmp_path)
    alone.bind_model(gan)
    expected_metrics = feed(alone, patches[0, :11], patches[1, :11])
    pairs = PairedImageMetric()
    rows = zip(patches[0, :11], patches[1, :11], patches[0].roll(1, 0), strict=False)
    pairs.process(None, [dict(fake_image=f, target=t, source=s) for f, t, s in rows])
    expected_pairs = pairs.evaluate(11)
    reals = floats(REALS[:11])
    shas = set()
    for rank in range(2):
        found = json.loads((cache / f'rank_{rank}.json').read_text())
        for name, num in (('same', 11), ('more', 20), ('less', 5)):
            expected = torch_fidelity_adapter.frechet_distance(floats(FAKES[:num]), reals)
            assert found[name] == [pytest.approx(expected, rel=1e-4), 11]
        chosen = list(SpreadSampler(range(11), 7))
        expected = torch_fidelity_adapter.frechet_distance(floats(FAKES[:7]), floats(REALS[chosen]))
        assert found['spread'] == [pytest.approx(expected, rel=1e-4), 7]
        # An error of the process that computes reaches all.
        assert found['error'].startswith('The data loader must give images')
        assert found['metrics'] == pytest.approx(expected_metrics, rel=1e-5)
        assert found['numbers'] == [11, 11]
        assert found['error of the second']
        assert found['pairs'] == pytest.approx(expected_pairs, rel=1e-6)
        shas.add(found['sha256'])
    assert len(shas) == 1
    assert len(list(cache.glob('*.safetensors'))) == 1
