"""A generator of mapping and synthesis under a path length penalty (1912.04958)."""

import math

import torch
from torch import nn

from mmgan_lite.models import Regularizer
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class TinyStyleGenerator(nn.Module):
    image_shape, num_classes = (1, 28, 28), None

    def __init__(self, latent_dim, width=8):
        super().__init__()
        self.latent_dim = latent_dim
        self.mapping_layers = nn.Sequential(nn.Linear(latent_dim, width), nn.LeakyReLU(0.2))
        self.constant = nn.Parameter(torch.randn(width))
        self.to_image = nn.Linear(width, 28 * 28)

    def mapping(self, latents, labels=None):
        return self.mapping_layers(latents)[:, None]  # (N, 1, W): one style for one layer

    def synthesis(self, ws):
        return self.to_image(ws[:, 0] * self.constant).tanh().reshape(-1, 1, 28, 28)

    def forward(self, latents, labels=None):
        return self.synthesis(self.mapping(latents, labels))


@MODELS.register_module()
class TinyPathLength(Regularizer):
    """``E (||J_w^T y|| - a)^2``, with the moving average a of the lengths in checkpoints."""

    name, player = 'path_length', 'generator'

    def __init__(self, weight=2.0, interval=2, decay=0.99):
        super().__init__(weight, interval)
        self.decay = decay
        self.register_buffer('average', torch.zeros(()))

    def penalty(self, network, batch):
        ws = network.mapping(batch.latents[: len(batch.latents) // 2], batch.labels)
        images = network.synthesis(ws)
        noise = torch.randn_like(images) / math.sqrt(images[0, 0].numel())
        (gradient,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        self.average.lerp_(lengths.detach().mean(), 1 - self.decay)
        return (lengths - self.average).square().mean()


def test_path_length(prove_open, digits, optim_wrapper):
    runner = prove_open(
        model=dict(
            type='GAN',
            generator=dict(type='TinyStyleGenerator', latent_dim=4),
            discriminator=dict(type='MLPDiscriminator', hidden_dims=(8,)),
            loss=dict(type='NonSaturatingGANLoss'),
            regularizers=[dict(type='TinyPathLength'), dict(type='R1Regularizer', interval=4)],
            ema=dict(type='ExponentialMovingAverage', momentum=0.1)),
        train_dataloader=digits,
        optim_wrapper=optim_wrapper('generator', 'discriminator'))  # fmt: skip
    assert runner.model.regularizers[0].average > 0
    penalties = runner.message_hub.get_scalar('train/loss_path_length').data[0]
    assert len(penalties) == 4  # due in every second step of the generator
