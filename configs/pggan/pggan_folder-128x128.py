_base_ = ['../_base_/datasets/image_folder_64x64.py', '../_base_/default_runtime.py']
# Stages of 4x4 to 128x128. Later ones take smaller batches, to fit into memory.
_networks = dict(image_shape=(3, 128, 128))
_growth = dict(fade_images=600_000, stable_images=600_000)
model = dict(
    type='GrowingGAN',
    generator=dict(type='PGGANGenerator', **_networks),
    discriminator=dict(type='PGGANDiscriminator', **_networks),
    loss=dict(type='WassersteinGANLoss'),
    regularizers=[dict(type='GradientPenalty', weight=10.0), dict(type='DriftRegularizer')],
    ema=dict(type='ExponentialMovingAverage', momentum=1e-3),
    growth=_growth,
)
_adam = dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.0, 0.99), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
train_dataloader = dict(
    batch_size=64,
    batch_sampler=dict(
        type='GrowingBatchSampler', batch_sizes=(64, 64, 64, 64, 32, 16), growth=_growth
    ),
    dataset=dict(image_size=128),
)
train_cfg = dict(by_epoch=False, max_iters=178125)  # 6.6 million images
# For several processes: later stages have no gradient yet.
model_wrapper_cfg = dict(find_unused_parameters=True)
