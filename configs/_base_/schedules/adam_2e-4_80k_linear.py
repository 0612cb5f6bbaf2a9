# One image at a time. For all networks: constant in the first half, then linear decay to 0.
train_cfg = dict(by_epoch=False, max_iters=80_000, val_interval=20_000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=1.0, end_factor=0.0, by_epoch=False, begin=40_000, end=80_000
    )
]
