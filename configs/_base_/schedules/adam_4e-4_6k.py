train_cfg = dict(by_epoch=False, max_iters=6000)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=4e-4, betas=(0.5, 0.99), fused=True)),
    discriminator=dict(optimizer=dict(type='Adam', lr=4e-4, betas=(0.5, 0.99), fused=True)),
)
# Constant to half time, then linear to 2 %: both networks share it.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=3000, end=6000)
]
