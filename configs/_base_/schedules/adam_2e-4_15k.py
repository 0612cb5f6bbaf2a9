# DCGAN's learning rates, for 16 epochs of MNIST with batch size 64.
train_cfg = dict(by_epoch=False, max_iters=15000, val_interval=5000)
_adam = dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = []  # constant learning rate
