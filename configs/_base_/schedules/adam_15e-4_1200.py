train_cfg = dict(by_epoch=False, max_iters=1200, val_interval=200)
_adam = dict(optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.0, 0.99), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
# For both networks: constant in the first half, then linear decay to 2 %.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=600, end=1200)
]
