_base_ = [
    '../_base_/datasets/cifar10_32x32.py',
    '../_base_/evaluation/cifar10.py',
    '../_base_/default_runtime.py',
]
# The paper's settings for CIFAR-10: 250 million images in batches of 512, in one process. The
# schedules run over the first 20 million.
model = dict(
    type='GAN',
    generator=dict(
        type='R3GANGenerator', image_shape=(3, 32, 32), channels=768, cardinality=96, num_classes=10
    ),
    discriminator=dict(
        type='R3GANDiscriminator',
        image_shape=(3, 32, 32),
        channels=768,
        cardinality=96,
        num_classes=10,
        embedding_dim=768,
    ),
    loss=dict(type='RelativisticPairingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight=0.05),
        dict(type='R2Regularizer', weight=0.05),
    ],
    augmentation=dict(type='AdaptiveAugment', p=0.0, target=None),  # p follows a schedule
    ema=dict(type='HalfLifeMovingAverage', half_life=0, images_per_update=512, ramp_up=None),
)
train_dataloader = dict(batch_size=512)
train_cfg = dict(by_epoch=False, max_iters=488_282, val_interval=50_000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.9), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
default_hooks = dict(samples=dict(interval=5000))
custom_hooks = [
    dict(
        type='AnnealHook',
        schedules=[
            dict(target='optimizer.*.lr', start=2e-4, end=5e-5, images=2e7),
            dict(target='optimizer.*.betas.1', start=0.9, end=0.99, images=2e7),
            dict(target='model.regularizers.*.weight', start=0.05, end=0.005, images=2e7),
            dict(target='model.generator_ema.half_life', start=0, end=5e6, images=2e7),
            dict(target='model.augmentation.p', start=0, end=0.55, images=2e7),
        ],
    )
]
