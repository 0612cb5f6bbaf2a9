"""Differences pair by pair, against values by hand and torchmetrics."""

import pytest
import torch
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from mmgan_lite.evaluation import PairedImageMetric


def flat(*values, size=16):
    """Gray images of one value each."""
    return torch.tensor(values, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, size, size)


def score(fakes, targets, sources, batch=2):
    metric = PairedImageMetric()
    for start in range(0, len(fakes), batch):
        part = slice(start, start + batch)
        rows = zip(fakes[part], targets[part], sources[part], strict=True)
        metric.process(None, [dict(fake_image=f, target=t, source=s) for f, t, s in rows])
    return metric.evaluate(len(fakes))


def noise(*shape, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=stream)


def test_by_hand():
    """Of flat images SSIM is (2 a b + c) / (a^2 + b^2 + c), c = 2.55^2; outputs 3 of 3 nearest."""
    scores = score(flat(0, 110, 200), flat(51, 110, 251), flat(50, 60, 70))
    luminance = [2.55**2 / (51**2 + 2.55**2), 1.0]
    luminance.append((2 * 200 * 251 + 2.55**2) / (200**2 + 251**2 + 2.55**2))
    assert scores == pytest.approx(
        dict(
            L1=(0.2 + 0 + 0.2) / 3,
            PSNR=(2 * 13.979400 + 100) / 3,  # -10 log10(0.2^2), and of equal images
            SSIM=sum(luminance) / 3,
            nearest_target=1.0,
            source_L1=(1 + 50 + 181) / 3 / 255,
            source_PSNR=scores['source_PSNR'],
            source_SSIM=scores['source_SSIM'],
            source_nearest_target=1 / 3,
        ),
        rel=1e-5,
    )


@pytest.mark.parametrize(('channels', 'height', 'width'), [(3, 32, 40), (1, 28, 28)])
def test_agrees_with_torchmetrics(channels, height, width):
    targets = noise(5, channels, height, width)
    fakes = (targets.float() * 0.7 + noise(*targets.shape, seed=1) * 0.2).byte()
    scores = score(fakes, targets, 255 - targets)
    pixels = fakes / 255, targets / 255
    for start, (images, reals) in {'': pixels, 'source_': (1 - pixels[1], pixels[1])}.items():
        psnr = peak_signal_noise_ratio(images, reals, data_range=1.0, dim=(1, 2, 3))
        assert scores[f'{start}PSNR'] == pytest.approx(psnr.item(), rel=1e-5)
        # Without the windows over mirrored edges, which the paper does not have.
        _, full = structural_similarity_index_measure(
            images, reals, data_range=1.0, return_full_image=True
        )
        ssim = full[:, :, 5:-5, 5:-5].mean()
        assert scores[f'{start}SSIM'] == pytest.approx(ssim.item(), abs=1e-5)


def test_nearest_target_is_of_means_of_areas():
    """Each output is far from its target pixel by pixel, and equal to it at 32x32."""
    stripes = torch.arange(64) % 2
    targets = (torch.stack([90 * stripes, 200 * stripes]).view(2, 1, 1, 64)).byte()
    targets = targets.expand(2, 1, 64, 64)
    outputs = (torch.stack([90 * (1 - stripes), 200 * (1 - stripes)]).view(2, 1, 1, 64)).byte()
    scores = score(outputs.expand(2, 1, 64, 64), targets, targets.flip(0))
    assert scores['nearest_target'] == 1.0
    assert scores['source_nearest_target'] == 0.0


def test_equal_targets_are_all_ones_own():
    targets = noise(1, 3, 16, 16).repeat(4, 1, 1, 1)
    assert score(noise(4, 3, 16, 16, seed=1), targets, targets)['nearest_target'] == 1.0


def test_nearest_of_many():
    """600 pairs, in parts; the last output is that of the first."""
    targets = noise(600, 1, 4, 4)
    outputs = targets.clone()
    outputs[-1] = targets[0]
    scores = score(outputs, targets, targets, batch=50)
    assert scores['nearest_target'] == pytest.approx(599 / 600)


def test_sources_of_other_channels_have_no_scores():
    targets = noise(2, 3, 16, 16)
    assert [*score(targets, targets, flat(1, 2))] == ['L1', 'PSNR', 'SSIM', 'nearest_target']


def test_bad_input():
    with pytest.raises(ValueError, match='needs at least 1 pair, got none. Evaluate a translation'):
        PairedImageMetric().compute_metrics([])
    with pytest.raises(ValueError, match=r'one shape, got \(3, 16, 16\) and \(1, 16, 16\)'):
        score(noise(2, 3, 16, 16), flat(1, 2), flat(1, 2))
    with pytest.raises(ValueError, match='must have target, got one without'):
        PairedImageMetric().process(None, [dict(fake_image=flat(1)[0])])
