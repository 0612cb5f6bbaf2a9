"""A model whose pictures can be computed by hand, and real, short Runner runs of it."""

import random
import uuid

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset


class FakeGAN(BaseModel):
    """Every pixel is ``level``, which starts at -1 and grows by ``step`` an iteration."""

    def __init__(self, num_classes=None, channels=1, step=0.25, fixed_level=None):
        super().__init__()
        self.level = nn.Parameter(torch.tensor(-1.0))
        self.register_buffer('average', torch.tensor(0.0))
        self.num_classes = num_classes
        self.image_shape = (channels, 4, 6)
        self.step = step
        self.fixed_level = fixed_level
        self.sample_calls = []

    def forward(self):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        torch.rand(1), np.random.rand(), random.random()
        optim_wrapper.update_params(-self.step * self.level)
        self.average.lerp_(self.level.detach(), 0.5)
        return {'loss': self.level.detach()}

    def sample_latents(self, num, generator=None):
        return torch.randn(num, 2, generator=generator)

    def sample(self, num, labels=None, latents=None, generator=None, use_ema=True):
        noise = (torch.rand(1).item(), np.random.rand(), random.random())
        self.sample_calls.append(
            {'labels': labels, 'latents': latents, 'noise': noise, 'grad': torch.is_grad_enabled()}
        )
        level = self.level if self.fixed_level is None else self.fixed_level
        return torch.ones(num, *self.image_shape) * level


class FakeDataset(Dataset):
    """Images of one value, 40 * label + 1; the labels go round."""

    def __init__(self, num_classes=3, channels=1, size=12):
        self.num_classes, self.channels, self.size = num_classes, channels, size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        torch.rand(1), np.random.rand(), random.random()  # as a pipeline of flips and crops would
        label = index % self.num_classes
        image = torch.full((self.channels, 4, 6), 40 * label + 1, dtype=torch.uint8)
        return {'inputs': image, 'labels': label}


@pytest.fixture
def fake_gan():
    return FakeGAN


@pytest.fixture
def fake_dataset():
    return FakeDataset


@pytest.fixture
def make_runner(tmp_path):
    """Build a Runner; iteration-based unless ``train_cfg`` says otherwise."""

    def make(model, hooks=(), max_iters=4, dataset=None, work_dir=tmp_path, **settings):
        by_epoch = settings.get('train_cfg', {}).get('by_epoch', False)
        defaults = {
            'train_cfg': {'by_epoch': False, 'max_iters': max_iters},
            'optim_wrapper': {'optimizer': {'type': 'SGD', 'lr': 1.0}},
            'default_hooks': {
                'checkpoint': {'type': 'CheckpointHook', 'by_epoch': by_epoch, 'interval': 1000}
            },
            'default_scope': 'mmgan_lite',
            'randomness': {'seed': 0},
        }
        sampler = 'DefaultSampler' if by_epoch else 'InfiniteSampler'
        return Runner(
            model=model,
            work_dir=str(work_dir),
            train_dataloader={
                'dataset': dataset or FakeDataset(channels=model.image_shape[0]),
                'sampler': {'type': sampler, 'shuffle': True},
                'batch_size': 4,
                'num_workers': 0,
            },
            custom_hooks=list(hooks),
            experiment_name=uuid.uuid4().hex,
            **{**defaults, **settings},
        )

    return make
