"""What every extractor promises."""

import pytest
import torch
from torch import nn

from mmgan_lite.evaluation import MNISTClassifier, ModuleExtractor
from mmgan_lite.evaluation.extractors import base
from mmgan_lite.evaluation.extractors.base import state_fingerprint

IMAGES = torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)


@pytest.mark.parametrize(
    'extractor',
    [MNISTClassifier(), ModuleExtractor(nn.Sequential(nn.Flatten(), nn.Linear(784, 4)), 'net')],
    ids=lambda extractor: extractor.name,
)
def test_promises(extractor):
    images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
    extractor.train()
    assert not any(module.training for module in extractor.modules())
    assert not any(parameter.requires_grad for parameter in extractor.parameters())
    features, _ = extractor(images)
    assert features.dtype == torch.float32
    assert len(features) == 5
    alone = torch.cat([extractor(image[None]).features for image in images])
    torch.testing.assert_close(alone, features, rtol=1e-4, atol=1e-5)
    assert int(extractor.fingerprint, 16) >= 0
    assert len(extractor.fingerprint) == 64
    assert extractor.tag == f'[{extractor.name}]'


def test_fingerprint_tells_weights_and_structure_apart():
    layer, other = nn.Linear(2, 2), nn.Linear(2, 2)
    first = state_fingerprint(layer)
    assert state_fingerprint(other) != first
    other.load_state_dict(layer.state_dict())
    assert state_fingerprint(other) == first
    assert state_fingerprint(nn.Sequential(layer)) != first
    assert state_fingerprint(layer.bfloat16()) != first
    assert state_fingerprint(nn.MaxPool2d(2)) != state_fingerprint(nn.MaxPool2d(3))
    assert len(state_fingerprint(nn.BatchNorm1d(2))) == 64  # has a counter without axes


def test_batches_make_no_difference(monkeypatch):
    extractor = ModuleExtractor(nn.Flatten(), 'pixels')
    expected = extractor.extract(IMAGES)
    monkeypatch.setattr(base, '_BATCH', 2)
    assert torch.equal(extractor.extract(IMAGES).features, expected.features)
    torch.testing.assert_close(expected.features, IMAGES.flatten(1) / 127.5 - 1)
    assert expected.logits is None


def test_autocast_of_the_loop_is_left_outside():
    extractor = ModuleExtractor(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), 'net')
    expected = extractor.extract(IMAGES).features
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(extractor.extract(IMAGES).features, expected)


def test_features_that_are_not_finite():
    images = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)

    class Zero(nn.Module):
        def forward(self, images):
            return 1 / (images.flatten(1) - 1)

    with pytest.raises(ValueError, match='zero must give finite features, got 1 that are not'):
        ModuleExtractor(Zero(), 'zero').extract(images)
