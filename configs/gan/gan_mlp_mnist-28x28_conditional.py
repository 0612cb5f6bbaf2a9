# Not the tutorial's learning rates, which lead to mode collapse within each class.
_base_ = [
    '../_base_/models/gan_mlp_28x28.py',
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_6e-4_8k.py',
    '../_base_/default_runtime.py',
]
model = dict(
    generator=dict(num_classes=10),
    discriminator=dict(num_classes=10),
    ema=dict(type='ExponentialMovingAverage', momentum=5e-3),
)
# In addition: the accuracy of the requested classes.
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
