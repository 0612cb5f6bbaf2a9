# For minutes on a CPU: a high rate, bfloat16.
train_cfg = dict(by_epoch=False, max_iters=4800, val_interval=800)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(
        dtype='bfloat16', optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.0, 0.99), fused=True)
    ),
    discriminator=dict(
        dtype='bfloat16', optimizer=dict(type='Adam', lr=1.5e-3, betas=(0.0, 0.99), fused=True)
    ),
)
# Constant to half time, then linear to 2 %: both networks share it.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=2400, end=4800)
]
