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
        type='BigGANGenerator',
        latent_dim=60,
        image_shape=(1, 28, 28),
        channels=(64, 32, 16),
        num_classes=10,
        shared_dim=32,
        attention=1,
    ),
    discriminator=dict(
        type='BigGANDiscriminator',
        image_shape=(1, 28, 28),
        channels=(16, 32, 64),
        num_classes=10,
        attention=1,
    ),
    loss=dict(type='HingeGANLoss'),
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
    channels_last=True,
)
default_hooks = dict(samples=dict(interval=100))
# In addition: the accuracy of the requested classes.
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
