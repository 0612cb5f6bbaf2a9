_base_ = [
    '../_base_/datasets/cifar10_32x32.py',
    '../_base_/evaluation/cifar10.py',
    '../_base_/default_runtime.py',
]
# 'cifar' of the authors' code: 100 million images, no path length, no mixed styles.
_precision = dict(low_precision_levels=3, low_precision_dtype='bfloat16')
model = dict(
    type='GAN',
    generator=dict(
        type='StyleGAN2Generator',
        image_shape=(3, 32, 32),
        num_mapping_layers=2,
        style_mixing=0.0,
        **_precision,
    ),
    discriminator=dict(
        type='StyleGAN2Discriminator',
        image_shape=(3, 32, 32),
        architecture='orig',
        stddev_group_size=32,
        **_precision,
    ),
    loss=dict(type='NonSaturatingGANLoss'),
    regularizers=[dict(type='R1Regularizer', weight=0.01, interval=16)],
    augmentation=dict(type='AdaptiveAugment'),
    ema=dict(type='HalfLifeMovingAverage', half_life=500_000, images_per_update=64),
)
train_cfg = dict(by_epoch=False, max_iters=1_562_500, val_interval=156_250)
_adam = dict(type='Adam', lr=2.5e-3, betas=(0.0, 0.99), fused=True)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=_adam),
    discriminator=dict(optimizer=_adam, lazy_correction=True),
)
