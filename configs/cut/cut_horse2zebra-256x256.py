_base_ = '../cyclegan/cyclegan_horse2zebra-256x256.py'
model = dict(
    _delete_=True,
    type='CUT',
    generator=dict(type='ResNetTranslator', downsampling='blur', upsampling='resize'),
    discriminator=dict(type='PatchDiscriminator', norm='instance', downsampling='blur'),
    loss=dict(type='LeastSquaresGANLoss'),
)
# 400 epochs of 1,334 images, the number of zebras.
train_cfg = dict(max_iters=533_600, val_interval=133_400)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        by_epoch=False,
        begin=266_800,
        end=533_600,
    )
]
