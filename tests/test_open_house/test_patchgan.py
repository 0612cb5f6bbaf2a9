"""A PatchGAN discriminator: a map of logits, one for each patch (1611.07004)."""

import torch
from torch import nn

from mmgan_lite.registry import MODELS


@MODELS.register_module()
class TinyPatchGAN(nn.Sequential):
    """Logits ``(N, 1, 7, 7)`` of images ``(N, 1, 28, 28)``."""

    image_shape = (1, 28, 28)

    def __init__(self, channels=4):
        super().__init__(
            nn.Conv2d(1, channels, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 1, 4, stride=2, padding=1),
        )

    def forward(self, images, labels=None):
        return super().forward(images)


def test_patchgan(prove_open, digits, optim_wrapper):
    runner = prove_open(
        model=dict(
            type='GAN',
            generator=dict(type='MLPGenerator', latent_dim=4, hidden_dims=(8,)),
            discriminator=dict(type='TinyPatchGAN'),
            loss=dict(type='RelativisticPairingGANLoss'),
            regularizers=[
                dict(type='R1Regularizer', interval=2),
                dict(type='ConsistencyRegularizer', augmentation=dict(type='DiffAugment')),
            ],
            augmentation=dict(type='AdaptiveAugment', target=-0.9, interval=1, ramp_images=64),
        ),
        train_dataloader=digits,
        optim_wrapper=optim_wrapper('generator', 'discriminator'),
    )
    probe = runner.model.probe(torch.zeros(2, 1, 28, 28))
    assert probe['real_logits'].shape == (2, 1, 7, 7)
    assert 0 < runner.model.augmentation.p <= 1
