_base_ = [
    '../_base_/datasets/digits_28x28.py',
    '../_base_/evaluation/digits.py',
    '../_base_/schedules/adam_15e-4_1200.py',
    '../_base_/default_runtime.py',
]
# Narrow, for a run of a few minutes on two cores: 7x7, 14x14 and 28x28.
_networks = dict(image_shape=(1, 28, 28), base_channels=256, max_channels=64)
model = dict(
    type='GrowingGAN',
    generator=dict(type='PGGANGenerator', latent_dim=64, **_networks),
    discriminator=dict(type='PGGANDiscriminator', **_networks),
    loss=dict(type='NonSaturatingGANLoss'),
    regularizers=[dict(type='R1Regularizer', weight=0.1)],
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
    growth=dict(fade_images=6_400, stable_images=6_400),
)
# For several processes: later stages have no gradient yet.
model_wrapper_cfg = dict(find_unused_parameters=True)
