train_cfg = dict(by_epoch=False, max_iters=8000, val_interval=2000)
_adam = dict(optimizer=dict(type='Adam', lr=6e-4, betas=(0.0, 0.99), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
# For both networks: constant in the first half, then linear decay to 2 %.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=4000, end=8000)
]
