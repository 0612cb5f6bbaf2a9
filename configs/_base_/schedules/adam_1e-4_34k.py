# As in MMEngine's GAN tutorial: 220 epochs of 10,000 images are 34,375 batches of 64.
train_cfg = dict(by_epoch=False, max_iters=34375, val_interval=5000)
_adam = dict(optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = []  # constant learning rate
