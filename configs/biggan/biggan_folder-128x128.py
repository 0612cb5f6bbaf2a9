_base_ = ['../_base_/datasets/image_folder_64x64.py', '../_base_/default_runtime.py']
# The paper's networks for ImageNet: a folder of 1,000 classes, one below 'data/images' each.
model = dict(
    type='GAN',
    generator=dict(
        type='BigGANGenerator',
        latent_dim=120,
        image_shape=(3, 128, 128),
        channels=(1536, 1536, 768, 384, 192, 96),
        num_classes=1000,
        attention=4,
    ),
    discriminator=dict(
        type='BigGANDiscriminator',
        image_shape=(3, 128, 128),
        channels=(96, 192, 384, 768, 1536, 1536),
        halvings=5,
        num_classes=1000,
        attention=1,
    ),
    loss=dict(type='HingeGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=1e-4),
    regularizers=[dict(type='OrthogonalRegularizer', weight=1e-4)],
    discriminator_steps=2,
)
# Batches of 2,048 as in the paper: 256 images in each of 8 iterations, in one process.
train_dataloader = dict(batch_size=256, dataset=dict(image_size=128))
# 125,000 generator steps of two steps of the discriminator.
train_cfg = dict(by_epoch=False, max_iters=2000000)
_adam = dict(type='Adam', betas=(0.0, 0.999), fused=True)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(accumulative_counts=8, optimizer=dict(lr=5e-5, **_adam)),
    discriminator=dict(accumulative_counts=8, optimizer=dict(lr=2e-4, **_adam)),
)
param_scheduler = []  # constant learning rate
