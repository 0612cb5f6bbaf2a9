_base_ = [
    '../_base_/models/resize_conv_28x28.py',
    '../_base_/datasets/digits_28x28.py',
    '../_base_/evaluation/digits.py',
    '../_base_/schedules/adam_15e-4_1200.py',
    '../_base_/default_runtime.py',
]
# Narrow, for a run of a few minutes on two cores.
model = dict(
    generator=dict(num_classes=10, channels=(64, 32, 16)),
    discriminator=dict(num_classes=10, channels=(16, 32, 64)),
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
)
default_hooks = dict(samples=dict(interval=100))
# In addition: the accuracy of the requested classes.
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
