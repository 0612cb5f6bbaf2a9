# Not the tutorial's rates: with labels they end in one image a class.
_base_ = [
    '../_base_/models/gan_mlp_28x28.py',
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_6e-4_8k.py',
    '../_base_/default_runtime.py',
]
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(
    generator=dict(num_classes=10),
    discriminator=dict(num_classes=10),
    ema=dict(type='ExponentialMovingAverage', momentum=5e-3),
)
# Besides: does a fake show the class that was asked for?
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
