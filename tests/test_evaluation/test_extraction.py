"""From images to features."""

import pytest
import torch
from torch import nn

from mmgan_lite.evaluation import ModuleExtractor, extraction
from mmgan_lite.evaluation.extraction import extract

IMAGES = torch.randint(0, 256, (5, 1, 2, 2), dtype=torch.uint8)


def test_batches_make_no_difference(monkeypatch):
    extractor = ModuleExtractor(nn.Flatten(), 'pixels')
    expected = extract(extractor, IMAGES)
    monkeypatch.setattr(extraction, '_BATCH', 2)
    assert torch.equal(extract(extractor, IMAGES).features, expected.features)
    torch.testing.assert_close(expected.features, IMAGES.flatten(1) / 127.5 - 1)
    assert expected.logits is None


def test_autocast_of_the_loop_is_left_outside():
    extractor = ModuleExtractor(nn.Sequential(nn.Flatten(), nn.Linear(4, 3)), 'net')
    expected = extract(extractor, IMAGES).features
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(extract(extractor, IMAGES).features, expected)


def test_features_that_are_not_finite():
    images = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8)

    class Zero(nn.Module):
        def forward(self, images):
            return 1 / (images.flatten(1) - 1)

    with pytest.raises(ValueError, match='zero must give finite features, got 1 that are not'):
        extract(ModuleExtractor(Zero(), 'zero'), images)
