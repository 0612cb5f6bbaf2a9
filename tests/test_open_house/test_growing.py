"""A generator that grows from 8 to 16 pixels while it trains (1710.10196)."""

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from torch import nn

from mmgan_lite.models import GAN
from mmgan_lite.registry import HOOKS, MODELS


@MODELS.register_module()
class GrowingGenerator(nn.Module):
    num_classes = None

    def __init__(self, latent_dim, size=8):
        super().__init__()
        self.latent_dim, self.size = latent_dim, size
        self.base, self.fine = nn.Linear(latent_dim, 64), nn.Conv2d(1, 1, 3, padding=1)

    @property
    def image_shape(self):
        return (1, self.size, self.size)

    def forward(self, latents, labels=None):
        images = self.base(latents).reshape(-1, 1, 8, 8)
        return (images if self.size == 8 else self.fine(F.interpolate(images, size=16))).tanh()


@MODELS.register_module()
class AnySizeDiscriminator(nn.Sequential):
    def __init__(self, channels=4):
        super().__init__(nn.Conv2d(1, channels, 3), nn.LeakyReLU(0.2), nn.Conv2d(channels, 1, 3))

    def forward(self, images, labels=None):
        return super().forward(images).mean((1, 2, 3))


@MODELS.register_module()
class SlowlyGrowingGAN(GAN):
    def prepare_batch(self, data):
        images = self.data_preprocessor(data, True)['inputs']
        images = F.adaptive_avg_pool2d(images, self.image_shape[1:])
        return super().prepare_batch(dict(inputs=self.data_preprocessor.to_uint8(images)))


@HOOKS.register_module()
class GrowthHook(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        gan = runner.model
        for generator in (gan.generator, gan.generator_ema.module):
            generator.size = 8 if runner.iter < 3 else 16


def test_growing(prove_open, digits, optim_wrapper):
    runner = prove_open(
        model=dict(type='SlowlyGrowingGAN',
                   generator=dict(type='GrowingGenerator', latent_dim=4),
                   discriminator=dict(type='AnySizeDiscriminator'),
                   loss=dict(type='HingeGANLoss'),
                   ema=dict(type='ExponentialMovingAverage', momentum=0.1)),
        train_dataloader=digits, custom_hooks=[dict(type='GrowthHook', priority='VERY_HIGH')],
        optim_wrapper=optim_wrapper('generator', 'discriminator'))  # fmt: skip
    assert runner.model.image_shape == (1, 16, 16)
    assert runner.model.sample(2).shape == (2, 1, 16, 16)
    assert torch.isfinite(runner.model.generator.fine.weight).all()
