# A high learning rate for a run of ten minutes on two cores. On a CPU with bfloat16 instructions,
# dtype='bfloat16' in both entries is faster.
train_cfg = dict(by_epoch=False, max_iters=2300, val_interval=1150)
_adam = dict(optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.0, 0.99), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
# For both networks: constant in the first half, then linear decay to 2 %.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=1150, end=2300)
]
