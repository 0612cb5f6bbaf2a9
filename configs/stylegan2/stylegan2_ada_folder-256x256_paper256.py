_base_ = './stylegan2_folder-256x256.py'
# 'paper256' of the authors' code: FFHQ and LSUN Cat in 256x256.
_precision = dict(low_precision_levels=4, low_precision_dtype='bfloat16')
model = dict(
    generator=dict(channel_base=16384, **_precision),
    discriminator=dict(channel_base=16384, stddev_group_size=8, **_precision),
    regularizers=[
        dict(type='R1Regularizer', weight=1.0, interval=16),
        dict(type='PathLengthRegularizer', weight=2.0, interval=4),
    ],
    augmentation=dict(type='AdaptiveAugment'),
    ema=dict(half_life=20_000, images_per_update=64),
)
train_dataloader = dict(batch_size=64)
train_cfg = dict(max_iters=390_625)  # 25 million images
optim_wrapper = dict(
    generator=dict(optimizer=dict(lr=2.5e-3)), discriminator=dict(optimizer=dict(lr=2.5e-3))
)
