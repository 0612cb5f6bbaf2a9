_base_ = '../_base_/default_runtime.py'
# From outlines of the embedded digits to the digits; without any data.
model = dict(
    type='Pix2Pix',
    generator=dict(
        type='UNetTranslator',
        in_channels=1,
        out_channels=1,
        levels=2,
        base_channels=32,
        dropout=0.0,
    ),
    discriminator=dict(type='PatchDiscriminator', in_channels=2, base_channels=32, num_layers=2),
    loss=dict(type='NonSaturatingGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=5e-3, warm_up=True),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='EdgesToDigitsDataset', indices=1500),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=27,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='EdgesToDigitsDataset', indices=-297),
)
val_evaluator = dict(type='GANEvaluator', metrics=[dict(type='PairedImageMetric')])
test_cfg = dict()
test_dataloader = val_dataloader
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=False, max_iters=1200, val_interval=300)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=4e-4, betas=(0.5, 0.999), fused=True)),
    discriminator=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, begin=600, end=1200)
]
