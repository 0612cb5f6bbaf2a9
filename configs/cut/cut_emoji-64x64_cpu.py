_base_ = '../cyclegan/cyclegan_emoji-64x64_cpu.py'
# FastCUT, with narrow networks, for a CPU.
model = dict(
    _delete_=True,
    type='CUT',
    generator=dict(
        type='ResNetTranslator',
        base_channels=16,
        num_blocks=3,
        downsampling='blur',
        upsampling='resize',
    ),
    discriminator=dict(type='PatchDiscriminator', base_channels=32, num_layers=2, norm='instance'),
    layers=(0, 4, 8, 12),
    num_patches=64,
    projection_dim=64,
    nce_weight=10.0,
    identity=False,
    flip_equivariance=True,
    loss=dict(type='LeastSquaresGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
)
train_cfg = dict(max_iters=600, val_interval=150)
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, begin=300, end=600)
]
