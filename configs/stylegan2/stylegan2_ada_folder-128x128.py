_base_ = './stylegan2_folder-256x256.py'
# 'auto' of the authors' code for one process with batches of 32.
_precision = dict(low_precision_levels=4, low_precision_dtype='bfloat16')
model = dict(
    generator=dict(
        image_shape=(3, 128, 128), channel_base=16384, num_mapping_layers=2, **_precision
    ),
    discriminator=dict(image_shape=(3, 128, 128), channel_base=16384, **_precision),
    regularizers=[
        dict(type='R1Regularizer', weight=0.1024, interval=16),  # 0.0002 * 128 * 128 / 32
        dict(type='PathLengthRegularizer', weight=2.0, interval=4),
    ],
    augmentation=dict(type='AdaptiveAugment'),
    ema=dict(ramp_up=0.05),
)
train_dataloader = dict(dataset=dict(image_size=128))
optim_wrapper = dict(
    generator=dict(optimizer=dict(lr=2.5e-3)), discriminator=dict(optimizer=dict(lr=2.5e-3))
)
