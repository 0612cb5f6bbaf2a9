# DCGAN's learning rates, for 16 epochs of MNIST with batch size 64.
train_cfg = dict(by_epoch=False, max_iters=15000, val_interval=5000)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True)),
    discriminator=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True)),
)
param_scheduler = []  # constant learning rate
