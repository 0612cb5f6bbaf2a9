_base_ = [
    '../_base_/models/resize_conv_28x28.py',
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_15e-4_2300.py',
    '../_base_/default_runtime.py',
]
model = dict(ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True))
