_base_ = [
    '../_base_/datasets/cifar10_32x32.py',
    '../_base_/evaluation/cifar10.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='GAN',
    generator=dict(type='SAGANGenerator', image_shape=(3, 32, 32), num_classes=10),
    discriminator=dict(type='SAGANDiscriminator', image_shape=(3, 32, 32), num_classes=10),
    loss=dict(type='HingeGANLoss'),
    discriminator_steps=5,
)
# 100,000 generator steps.
train_cfg = dict(by_epoch=False, max_iters=500000, val_interval=50000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = []  # constant learning rate
