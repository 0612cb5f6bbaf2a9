_base_ = [
    '../_base_/datasets/horse2zebra_256x256.py',
    '../_base_/schedules/adam_2e-4_80k_linear.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='CycleGAN',
    generator=dict(type='ResNetTranslator'),
    discriminator=dict(type='PatchDiscriminator', norm='instance'),
    loss=dict(type='LeastSquaresGANLoss'),
)
# 200 epochs of 1,334 images, the number of zebras.
train_cfg = dict(max_iters=266_800, val_interval=66_700)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        by_epoch=False,
        begin=133_400,
        end=266_800,
    )
]
