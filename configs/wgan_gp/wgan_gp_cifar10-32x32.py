_base_ = [
    '../_base_/models/resnet_32x32.py',
    '../_base_/datasets/cifar10_32x32.py',
    '../_base_/evaluation/cifar10.py',
    '../_base_/default_runtime.py',
]
model = dict(
    generator=dict(channels=128),
    discriminator=dict(spectral_norm=False),
    loss=dict(type='WassersteinGANLoss'),
    regularizers=[dict(type='GradientPenalty', weight=10.0)],
    discriminator_steps=5,
)
# 100,000 generator steps; both learning rates decay linearly to 0.
train_cfg = dict(by_epoch=False, max_iters=500000, val_interval=50000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.9), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, end=500000)
]
