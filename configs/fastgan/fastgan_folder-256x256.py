_base_ = ['../_base_/datasets/image_folder_64x64.py', '../_base_/default_runtime.py']
# For 100 images or more.
model = dict(
    type='GAN',
    generator=dict(type='FastGANGenerator', image_shape=(3, 256, 256)),
    discriminator=dict(type='FastGANDiscriminator', image_shape=(3, 256, 256)),
    loss=dict(type='HingeGANLoss'),
    regularizers=[dict(type='ReconstructionRegularizer')],
    augmentation=dict(type='DiffAugment', policy=('color', 'translation')),
    ema=dict(type='ExponentialMovingAverage', momentum=1e-3),
)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(image_size=256),
)
train_cfg = dict(by_epoch=False, max_iters=50_000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
