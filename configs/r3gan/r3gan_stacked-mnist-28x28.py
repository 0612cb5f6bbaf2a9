_base_ = [
    '../_base_/datasets/stacked_mnist_28x28.py',
    '../_base_/evaluation/stacked_mnist.py',
    '../_base_/default_runtime.py',
]
# For a GPU: 15 million images in batches of 256. The paper's loss and architecture, with a third of
# the width for CIFAR-10. The other settings are not from the paper.
model = dict(
    type='GAN',
    generator=dict(type='R3GANGenerator', image_shape=(3, 28, 28)),
    discriminator=dict(type='R3GANDiscriminator', image_shape=(3, 28, 28)),
    loss=dict(type='RelativisticPairingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight=1.0),
        dict(type='R2Regularizer', weight=1.0),
    ],
    ema=dict(type='HalfLifeMovingAverage', half_life=500_000, images_per_update=256),
)
train_dataloader = dict(batch_size=256)
train_cfg = dict(by_epoch=False, max_iters=60_000, val_interval=6000)
_adam = dict(dtype='bfloat16', optimizer=dict(type='Adam', lr=2e-4, betas=(0.0, 0.99), fused=True))
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_adam, discriminator=_adam
)
param_scheduler = []
