# 25 million images in batches of 32.
train_cfg = dict(by_epoch=False, max_iters=781_250)
_adam = dict(
    optimizer=dict(type='Adam', lr=2e-3, betas=(0.0, 0.99), fused=True),
    lazy_correction=True,
)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
