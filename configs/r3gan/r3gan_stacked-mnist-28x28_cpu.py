_base_ = [
    '../_base_/models/resize_conv_28x28.py',
    '../_base_/datasets/stacked_mnist_28x28.py',
    '../_base_/evaluation/stacked_mnist.py',
    '../_base_/schedules/adam_15e-4_2300.py',
    '../_base_/default_runtime.py',
]
model = dict(
    generator=dict(image_shape=(3, 28, 28)),
    discriminator=dict(image_shape=(3, 28, 28)),
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
)
