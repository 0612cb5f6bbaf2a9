"""Any network of the user's as an extractor."""

import pytest
import torch
from torch import nn

from mmgan_lite.evaluation import ModuleExtractor
from mmgan_lite.registry import MODELS

IMAGES = torch.tensor([[[[0, 255]]], [[[255, 0]]]], dtype=torch.uint8)


@MODELS.register_module()
class TwoClasses(nn.Module):
    def forward(self, images):
        flat = images.flatten(1)
        return flat[:, :1].half(), flat


class Bad(nn.Module):
    def forward(self, images):
        return images


def test_registered_module_with_logits():
    cfg = dict(type='ModuleExtractor', name='two', module=dict(type='TwoClasses'))
    extractor = MODELS.build(cfg)
    features, logits = extractor(IMAGES)
    assert torch.equal(features, torch.tensor([[-1.0], [1.0]]))
    assert torch.equal(logits, torch.tensor([[-1.0, 1.0], [1.0, -1.0]]))
    assert features.dtype == torch.float32


def test_module_is_frozen():
    module = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(2, 1)).double()
    extractor = ModuleExtractor(module, 'net')
    assert not module.training
    assert extractor(IMAGES).features.dtype == torch.float32
    assert torch.equal(extractor(IMAGES).features, extractor(IMAGES).features)


def test_mistakes():
    with pytest.raises(ValueError, match="name must not be empty, got ' '"):
        ModuleExtractor(nn.Flatten(), ' ')
    with pytest.raises(ValueError, match='module must be an nn.Module, got function'):
        ModuleExtractor(lambda images: images, 'net')
    with pytest.raises(
        ValueError,
        match=r'module must return features of shape \(2, ...\), got \(2, 1',
    ):
        ModuleExtractor(Bad(), 'bad')(IMAGES)
