"""Scores of two sets of images."""

import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric
from PIL import Image
from scipy.linalg import sqrtm
from torch import nn

from mmgan_lite.datasets import open_images
from mmgan_lite.evaluation import (
    MSSSIM,
    ConditionalAccuracy,
    FrechetDistance,
    GANEvaluator,
    GANMetric,
    InceptionScore,
    Memorization,
    ModuleExtractor,
    PerceptualPathLength,
    PrecisionRecall,
    Samples,
    score_images,
)

stream = np.random.default_rng(0)
FAKES = stream.integers(0, 200, (30, 2, 2, 1), dtype=np.uint8)
REALS = stream.integers(0, 256, (40, 2, 2, 1), dtype=np.uint8)


class Pixels(nn.Module):
    """Features are the pixels."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, images):
        self.seen += len(images)
        return images.flatten(1)


class Corners(nn.Module):
    """The first three pixels of the first channel, in any size."""

    def forward(self, images):
        return images[:, 0].flatten(1)[:, :3]


@pytest.fixture
def write(tmp_path):
    def write(name, images):
        np.savez(tmp_path / f'{name}.npz', images=images)
        return open_images(tmp_path / f'{name}.npz')

    return write


@pytest.fixture
def score(tmp_path):
    def score(fake, real, module=None, metrics=(), **kwargs):
        extractor = ModuleExtractor(module or Pixels(), 'pixels')
        return score_images(fake, real, extractor, metrics, cache_dir=tmp_path / 'cache', **kwargs)

    return score


@pytest.fixture
def warnings(monkeypatch):
    found = []
    for module in ('evaluation.scoring', 'evaluation.metrics.frechet_distance'):
        monkeypatch.setattr(f'mmgan_lite.{module}.print_log', lambda text, *_: found.append(text))
    return found


def distance(fake, real):
    """The closed form, by scipy."""
    fake, real = (images.reshape(len(images), -1) / 127.5 - 1 for images in (fake, real))
    of_fakes, of_reals = np.cov(fake.T), np.cov(real.T)
    means = ((fake.mean(0) - real.mean(0)) ** 2).sum()
    return means + np.trace(of_fakes + of_reals - 2 * sqrtm(of_fakes @ of_reals).real)


def test_score_and_protocol(write, score, tmp_path, warnings):
    progress = []
    report = score(write('fakes', FAKES), write('reals', REALS), on_progress=progress.append)
    (fid,) = report.scores
    assert fid.name == 'FID[pixels]'
    assert fid.value == pytest.approx(distance(FAKES, REALS), rel=1e-4)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    assert fid.real_score == pytest.approx(distance(REALS[order[:20]], REALS[order[20:]]), rel=1e-4)
    assert sum(progress) == 30 + 40
    protocol = json.loads(json.dumps(report.to_dict()))['protocol']
    assert len(protocol.pop('extractor_sha256')) == 64
    assert protocol == dict(
        extractor='pixels',
        num_features=4,
        num_fakes=30,
        weights=None,
        real_data=str(tmp_path / 'reals.npz'),
        num_reals=40,
        baseline='the real images in two halves of 20',
        fake_data=str(tmp_path / 'fakes.npz'),
        images='gray, 2x2, not resized',
        direction=None,
        num_pairs=None,
        pairs_sha256=None,
    )
    assert warnings == []


def test_16_bits_are_rounded_to_8(write, score):
    fakes, reals = write('fakes', FAKES), write('reals', REALS)
    expected = score(fakes, reals).scores
    deep = write('deep', REALS.astype(np.uint16) * 257 + (REALS < 255))
    report = score(fakes, deep)
    assert report.scores == expected
    assert report.images == 'gray, 2x2, not resized, 16 bits rounded to 8'


def test_features_of_the_real_images_are_cached(write, score):
    fakes, reals = write('fakes', FAKES), write('reals', REALS)
    first, again = Pixels(), Pixels()
    expected = score(fakes, reals, first).scores
    assert first.seen == 30 + 40
    assert score(fakes, reals, again).scores == expected
    assert again.seen == 30 + 4  # a few for comparison with the file
    changed = REALS.copy()
    changed[7] ^= 1
    again = Pixels()
    score(fakes, write('reals', changed), again)
    assert again.seen == 30 + 4 + 1


def test_real_sets_of_one_name_do_not_share_a_file(score, tmp_path, write):
    for place in ('a', 'b'):
        (tmp_path / place).mkdir()
        score(write('fakes', FAKES), write(f'{place}/reals', REALS))
    assert len(list((tmp_path / 'cache').iterdir())) == 2


def test_images_of_several_sizes(write, score, tmp_path, warnings):
    """Each goes through the extractor in its own size; an average shows it in the features."""
    folder = tmp_path / 'fakes'
    folder.mkdir()
    sizes = [(2, 2)] * 20 + [(3, 5)] * 10
    images = [stream.integers(0, 256, size, dtype=np.uint8) for size in sizes]
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f'{number:02}.png')
    report = score(open_images(folder), write('reals', REALS), Corners())
    corners = np.stack([image.flat[:3] for image in images])
    expected = distance(corners, REALS.reshape(40, -1)[:, :3])
    assert report.scores[0].value == pytest.approx(expected, rel=1e-4)
    found = 'fakes 2x2 (20) and 3x5 (10), real images 2x2 (40)'
    assert report.images == f'gray, {found}, not resized'
    assert warnings == [
        f'The images are of several sizes ({found}), each not resized. The score depends on that '
        'too: compare images of one size.'
    ]
    with pytest.raises(ValueError, match=rf'as many features, got \[4, 15\] for {found[:9]}'):
        score(open_images(folder), write('reals', REALS))


def test_color(write, score):
    gray, color = write('reals', REALS), write('fakes', FAKES.repeat(3, axis=3))
    assert score(color, gray).num_features == 12
    report = score(color, gray, channels=1)
    assert report.num_features == 4
    assert report.images == 'gray, 2x2, not resized'
    assert report.scores[0].value == pytest.approx(distance(FAKES, REALS), rel=1e-4)
    with pytest.raises(ValueError, match=r'channels must be an int of at least 1, got 0'):
        score(color, gray, channels=0)


class Bands:
    """Images of any number of channels, as a source of a data set gives them."""

    is_gray = has_16_bits = False

    def __init__(self, path, images):
        self.path, self.images = path, torch.from_numpy(images)

    def __len__(self):
        return len(self.images)

    def batches(self, channels):
        assert self.images.shape[1] == channels
        yield list(self.images)


@pytest.mark.parametrize(('channels', 'text'), [(4, 'RGB and alpha'), (7, '7 bands')])
def test_any_number_of_channels(channels, text, score, tmp_path):
    images = stream.integers(0, 256, (2, 40, channels, 1, 2), dtype=np.uint8)
    fake, real = (Bands(tmp_path / name, part) for name, part in zip('ab', images, strict=True))
    report = score(fake, real, channels=channels)
    assert report.scores[0].value == pytest.approx(distance(*images), rel=1e-4)
    assert report.images == f'{text}, 1x2, not resized'


def test_protocol_has_what_happened_to_the_channels(tmp_path, monkeypatch):
    images = stream.integers(0, 256, (9, 4, 1, 2), dtype=np.uint8)
    extractor = ModuleExtractor(nn.Flatten(), 'flat')
    monkeypatch.setattr(extractor, 'describe_channels', lambda channels: f'first of {channels}')
    source = Bands(tmp_path / 'a', images)
    report = score_images(source, source, extractor, channels=4, cache_dir=tmp_path)
    assert report.images == 'RGB and alpha, first of 4, 1x2, not resized'


def test_fewer_images_than_features(write, score, warnings):
    score(write('fakes', FAKES[:4]), write('reals', REALS[:9]))
    reason = 'far too high, because the covariance of so few is singular. Use more than 4 of each.'
    assert warnings == [
        f'The real score of FID of 4 features from 4 images against 4 is {reason}',
        f'FID of 4 features from 4 images against 9 is {reason}',
    ]


@pytest.mark.parametrize(('num_fakes', 'num_reals'), [(1, 40), (30, 1)])
def test_one_image(num_fakes, num_reals, write, score):
    module = Pixels()
    side = 'fakes' if num_fakes == 1 else 'reals'
    with pytest.raises(ValueError, match=f'{side}.npz. must hold at least 2 images.* got 1'):
        score(write('fakes', FAKES[:num_fakes]), write('reals', REALS[:num_reals]), module)
    assert module.seen == 0


def test_one_image_that_is_not_damaged(write, score, tmp_path):
    folder = tmp_path / 'fakes'
    folder.mkdir()
    image = Image.fromarray(stream.integers(0, 256, (20, 20), dtype=np.uint8))
    for name in ('a.png', 'b.png'):
        image.save(folder / name)
    content = (folder / 'b.png').read_bytes()
    (folder / 'b.png').write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"fakes' must hold at least 2 images .* got 1"):
        score(open_images(folder), write('reals', REALS))


def test_too_few_for_a_metric(write, score):
    fakes, reals = write('fakes', FAKES[:3]), write('reals', REALS)
    with pytest.raises(ValueError, match='PrecisionRecall needs at least 4 fake images, got 3'):
        score(fakes, reals, metrics=[PrecisionRecall()])


class ModelSize(GANMetric):
    needs = ('model',)


class Other(BaseMetric):
    default_prefix = 'other'
    process = compute_metrics = None


@pytest.mark.parametrize(
    ('metric', 'message'),
    [
        (ModelSize(), 'ModelSize needs the model, which two sets of images do not have. Choose'),
        (Memorization(), 'Memorization needs the training images besides the real ones, which'),
        (ConditionalAccuracy(), 'ConditionalAccuracy needs the labels that the fakes were drawn'),
        (MSSSIM(), 'MSSSIM needs images of one size from a loop, which two sets of images do not'),
        (PerceptualPathLength(), 'PerceptualPathLength needs the model, which two sets of images'),
        (InceptionScore(), 'InceptionScore needs an extractor with logits'),
        (Other(), 'metrics must be GANMetrics, got Other'),
    ],
)
def test_metrics_that_need_more(metric, message, write, score):
    with pytest.raises(ValueError, match=message):
        score(write('fakes', FAKES), write('reals', REALS), metrics=[FrechetDistance(), metric])


def test_an_extractor_that_refuses_the_images_names_them(write, tmp_path):
    fakes, reals = write('fakes', FAKES), write('reals', REALS)
    with pytest.raises(ValueError, match=r"fakes.npz': MNISTClassifier takes images .* got \(30"):
        score_images(fakes, reals, dict(type='MNISTClassifier'), cache_dir=tmp_path)


def test_evaluator_compares_only_through_an_extractor(tmp_path):
    evaluator = GANEvaluator(ModelSize(), cache_dir=tmp_path)
    with pytest.raises(ValueError, match='extractor must be given to compare features'):
        evaluator.compare(Samples(), Samples())
