"""Numbers with what they mean."""

import json
from dataclasses import replace

from mmgan_lite.evaluation import Report, Score

REPORT = Report(
    scores=[
        Score('FID[net]', 12.3456, 0.25),
        Score('KID[net]', -0.001, None, dict(subsets=100, subset_size=1000)),
    ],
    extractor='net',
    extractor_sha256='0123456789abcdef' * 4,
    num_features=96,
    num_fakes=10_000,
    weights='EMA',
    real_data='MNIST test',
    num_reals=9_999,
    baseline='10,000 images of MNIST train',
)


def test_table():
    assert REPORT.table() == (
        '10,000 fakes (EMA weights) against 9,999 images of MNIST test, seen through net '
        '(96 features, sha256 0123456789ab); real-data baseline: 10,000 images of MNIST train\n'
        '           score  real_score\n'
        'FID[net]   12.35        0.25\n'
        'KID[net]  -0.001           -  subsets=100, subset_size=1000'
    )


def test_images_from_files():
    report = replace(REPORT, weights=None, fake_data='fakes.zip', images='RGB, 8x8, not resized')
    assert report.protocol().startswith(
        '10,000 images of fakes.zip against 9,999 images of MNIST test (RGB, 8x8, not resized), '
        'seen through net (96 features, '
    )


def test_images_without_an_extractor():
    unseen = replace(REPORT, extractor=None, extractor_sha256=None, num_features=None)
    assert unseen.protocol() == (
        '10,000 fakes (EMA weights) against 9,999 images of MNIST test; '
        'real-data baseline: 10,000 images of MNIST train'
    )


def test_model_alone():
    scores = [Score('PPL_W_end[net]', 1.5)]
    report = Report(scores, extractor='net', extractor_sha256='0123456789abcdef', weights='EMA')
    first = 'scores of the model (EMA weights), seen through net (sha256 0123456789ab)'
    assert report.protocol() == first
    assert Report(scores).protocol() == 'scores of the model, without an extractor'


def test_old_names():
    assert REPORT.scores[0].floor == 0.25
    assert REPORT.floor == '10,000 images of MNIST train'


def test_json():
    summary = json.loads(json.dumps(REPORT.to_dict()))
    assert summary['scores']['KID[net]'] == {
        'value': -0.001,
        'real_score': None,
        'settings': {'subsets': 100, 'subset_size': 1000},
    }
    assert summary['protocol'] == {
        'extractor': 'net',
        'extractor_sha256': '0123456789abcdef' * 4,
        'num_features': 96,
        'num_fakes': 10_000,
        'weights': 'EMA',
        'real_data': 'MNIST test',
        'num_reals': 9_999,
        'baseline': '10,000 images of MNIST train',
        'fake_data': None,
        'images': None,
        'direction': None,
        'num_pairs': None,
        'pairs_sha256': None,
    }
