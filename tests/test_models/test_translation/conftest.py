import pytest
import torch
from mmengine.model import BaseDataPreprocessor
from torch import nn

from mmgan_lite.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS


class Scale(nn.Module):
    """An image, times a number."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(float(weight)))

    def forward(self, images, labels=None):
        return self.weight * images


class MeanLogit(Scale):
    """D(x) = v * the mean of the last channel."""

    def forward(self, images, labels=None):
        return self.weight * images[:, -1].mean((1, 2))


@pytest.fixture(scope='session', autouse=True)
def _parts():
    for part in (Scale, MeanLogit):
        MODELS.register_module(name=f'Translation{part.__name__}', module=part, force=True)


@pytest.fixture
def optim_wrapper_of():
    def make(model, lr=0.1):
        sgd = dict(optimizer=dict(type='SGD', lr=lr))
        cfg = dict(
            type='MultiOptimWrapperConstructor',
            optim_wrapper_cfg=dict(generator=sgd, discriminator=sgd),
        )
        return OPTIM_WRAPPER_CONSTRUCTORS.build(cfg)(model)

    return make


@pytest.fixture
def as_it_is():
    """Batches that are floats already."""
    return BaseDataPreprocessor()
