_base_ = [
    '../_base_/datasets/cifar10_32x32.py',
    '../_base_/evaluation/cifar10.py',
    '../_base_/default_runtime.py',
]
# The paper's network for CIFAR-10: the latents enter at the start, and each norm has a gain and a
# bias for each class.
model = dict(
    type='GAN',
    generator=dict(
        type='BigGANGenerator',
        latent_dim=128,
        image_shape=(3, 32, 32),
        num_classes=10,
        shared_dim=None,
        split_latents=False,
        initialization='normal',
    ),
    discriminator=dict(
        type='BigGANDiscriminator',
        image_shape=(3, 32, 32),
        num_classes=10,
        initialization='normal',
    ),
    loss=dict(type='HingeGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=1e-4, start=1000),
    discriminator_steps=4,
)
train_dataloader = dict(batch_size=50)
# 500 epochs: 125,000 generator steps.
train_cfg = dict(by_epoch=False, max_iters=500000, val_interval=50000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = []  # constant learning rate
