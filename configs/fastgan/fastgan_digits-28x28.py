_base_ = [
    '../_base_/datasets/digits_28x28.py',
    '../_base_/evaluation/digits.py',
    '../_base_/schedules/adam_15e-4_1200.py',
    '../_base_/default_runtime.py',
]
# Narrow, for a run of a few minutes on two cores.
model = dict(
    type='GAN',
    generator=dict(
        type='FastGANGenerator', latent_dim=64, image_shape=(1, 28, 28), base_channels=4
    ),
    discriminator=dict(type='FastGANDiscriminator', image_shape=(1, 28, 28), base_channels=4),
    loss=dict(type='HingeGANLoss'),
    regularizers=[dict(type='ReconstructionRegularizer')],
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
)
default_hooks = dict(samples=dict(interval=100))
