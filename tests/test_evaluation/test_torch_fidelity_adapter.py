"""torch-fidelity's formulas, compared with closed forms, numpy, scipy and torchmetrics."""

import hashlib

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from mmgan_lite.evaluation import torch_fidelity_adapter as fidelity


def skewed(num, width, shift=0.0):
    """Correlated features that are no Gaussian."""
    mixing = torch.randn(width, width, generator=torch.Generator().manual_seed(0))
    return (torch.rand(num, width) @ mixing).abs() + shift


class Features(nn.Module):
    """Lets torchmetrics see features where it expects images."""

    num_features = 12

    def forward(self, features):
        return features


def test_frechet_distance_of_identical_sets():
    for features in (skewed(500, 12), skewed(20, 60), torch.ones(9, 5)):
        assert abs(fidelity.frechet_distance(features, features)) < 1e-3
        assert abs(fidelity.frechet_distance(features, features.flip(0))) < 1e-3


def test_frechet_distance_of_two_gaussians():
    """Whitened to the last digit, the sets have exactly these means and variances."""
    noise = torch.randn(400, 3, dtype=torch.float64)
    noise = noise - noise.mean(0)
    white = noise @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(noise.T))).T
    deviations = torch.tensor([2.0, 1.0, 5.0]).double()
    shift = torch.tensor([3.0, 0.0, -4.0]).double()
    # |shift|^2 = 25;  (2 - 1)^2 + (1 - 1)^2 + (5 - 1)^2 = 17
    found = fidelity.frechet_distance(white * deviations + shift, white)
    assert found == pytest.approx(42, abs=1e-6)


def test_frechet_distance_of_one_feature():
    # Means 1 and 5, variances 2 and 8: 16 + 2 + 8 - 2 * 4
    assert fidelity.frechet_distance(
        torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [7.0]])
    ) == pytest.approx(18)


@pytest.mark.parametrize('sizes', [(300, 200), (30, 500)])
def test_frechet_distance_agrees_with_scipy(sizes):
    fake, real = skewed(sizes[0], 12, 0.2).double(), skewed(sizes[1], 12).double()
    first, second = np.cov(fake.numpy().T), np.cov(real.numpy().T)
    root = scipy.linalg.sqrtm(first @ second).real
    means = (fake.mean(0) - real.mean(0)).square().sum().item()
    expected = means + np.trace(first + second - 2 * root)
    assert fidelity.frechet_distance(fake, real) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_agrees_with_torchmetrics():
    fake, real = skewed(400, 12, 0.2), skewed(300, 12)
    judge = FrechetInceptionDistance(feature=Features()).set_dtype(torch.float64)
    judge.update(real.double(), real=True)
    judge.update(fake.double(), real=False)
    found = fidelity.frechet_distance(fake, real)
    assert found == pytest.approx(judge.compute().item(), rel=1e-4)


def test_frechet_distance_with_fewer_images_than_features():
    assert np.isfinite(fidelity.frechet_distance(torch.randn(3, 40), torch.randn(5, 40)))


def kid_by_hand(fake, real):
    """The unbiased estimate, pair by pair."""

    def mean(left, right, skip_equal):
        pairs = [
            (x @ y / len(x) + 1) ** 3
            for i, x in enumerate(left)
            for j, y in enumerate(right)
            if not (skip_equal and i == j)
        ]
        return sum(pairs) / len(pairs)

    return mean(fake, fake, True) + mean(real, real, True) - 2 * mean(fake, real, False)


def test_kernel_distance_matches_pair_by_pair():
    fake, real = skewed(20, 12, 0.3), skewed(20, 12)
    mean, deviation = fidelity.kernel_distance(fake, real, subsets=3, subset_size=20)
    assert mean == pytest.approx(kid_by_hand(fake.double().numpy(), real.double().numpy()))
    assert deviation == pytest.approx(0, abs=1e-9)  # each subset is the whole set


def test_kernel_distance_agrees_with_torchmetrics():
    fake, real = skewed(50, 12, 0.3).double(), skewed(50, 12).double()
    judge = KernelInceptionDistance(feature=Features(), subsets=1, subset_size=50)
    judge.set_dtype(torch.float64)
    judge.update(real, real=True)
    judge.update(fake, real=False)
    found, _ = fidelity.kernel_distance(fake, real, subsets=1, subset_size=50)
    assert found == pytest.approx(judge.compute()[0].item(), rel=1e-4)


def test_inception_score_matches_hand_computation():
    certain = 100 * torch.eye(4)  # each image another class, without doubt
    assert fidelity.inception_score(certain, splits=1) == pytest.approx((4, 0))
    assert fidelity.inception_score(torch.zeros(6, 4), splits=2) == pytest.approx((1, 0))


def test_inception_score_agrees_with_torchmetrics_and_numpy():
    logits = 3 * torch.randn(40, 12)
    found, _ = fidelity.inception_score(logits, splits=1)
    judge = InceptionScore(feature=Features(), splits=1)
    judge.update(logits)
    assert found == pytest.approx(judge.compute()[0].item(), rel=1e-4)
    shares = logits.double().softmax(1).numpy()
    entropy = (shares * np.log(shares / shares.mean(0))).sum(1).mean()
    assert found == pytest.approx(np.exp(entropy))


def precision_by_hand(judged, known, neighbours):
    """The share of ``judged`` within the k-th neighbour's distance of any of ``known``."""
    judged, known = judged.double().numpy(), known.double().numpy()
    inside = 0
    for point in judged:
        for centre in known:
            radius = sorted(np.linalg.norm(known - centre, axis=1))[neighbours]
            if np.linalg.norm(point - centre) <= radius:
                inside += 1
                break
    return inside / len(judged)


@pytest.mark.parametrize('neighbours', [1, 3])
def test_precision_recall_matches_point_by_point(neighbours):
    fake, real = skewed(40, 5, 0.1) + 100, skewed(60, 5) + 100
    precision, recall = fidelity.precision_recall(fake, real, neighbours)
    assert 0 < precision < 1
    assert 0 < recall < 1
    assert precision == pytest.approx(precision_by_hand(fake, real, neighbours))
    assert recall == pytest.approx(precision_by_hand(real, fake, neighbours))


def test_precision_recall_in_blocks(monkeypatch):
    fake, real = skewed(40, 5, 0.4), skewed(60, 5)
    whole = fidelity.precision_recall(fake, real, 3)
    monkeypatch.setattr(fidelity, '_BLOCK', 7)
    assert fidelity.precision_recall(fake, real, 3) == pytest.approx(whole)


def test_inception_of_another_file_is_refused(tmp_path):
    path = tmp_path / 'weights.pth'
    with pytest.raises(FileNotFoundError, match='weights must be a file, got'):
        fidelity.build_inception(path)
    path.write_bytes(b'other')
    sha256 = hashlib.sha256(b'other').hexdigest()
    with pytest.raises(
        ValueError, match=f'starts with 6726825d, got .* with {sha256[:8]}. Use oth'
    ):
        fidelity.build_inception(path)


def test_inception_that_cannot_be_downloaded(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', fail)
    with pytest.raises(FileNotFoundError, match=r'could not be downloaded \(OSError: no network\)'):
        fidelity.obtain_inception()


def test_inception_in_the_hub_folder_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    path = tmp_path / 'checkpoints' / 'weights-inception-2015-12-05-6726825d.pth'
    path.parent.mkdir()
    path.write_bytes(b'weights')
    assert fidelity.obtain_inception() == path
