_base_ = ['../_base_/datasets/emoji_64x64.py', '../_base_/default_runtime.py']
# Narrow networks, and a U-Net in place of the paper's ResNet, for a CPU.
model = dict(
    type='CycleGAN',
    generator=dict(type='UNetTranslator', base_channels=16, levels=5, norm='instance', dropout=0.0),
    discriminator=dict(type='PatchDiscriminator', base_channels=32, num_layers=2, norm='instance'),
    loss=dict(type='LeastSquaresGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
)
train_dataloader = dict(dataset=dict(type='UnpairedImageDataset'))
train_cfg = dict(by_epoch=False, max_iters=1200, val_interval=300)
_adam = dict(optimizer=dict(type='Adam', lr=4e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, begin=600, end=1200)
]
