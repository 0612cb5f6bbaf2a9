_base_ = [
    '../_base_/models/gan_mlp_28x28.py',
    '../_base_/datasets/digits_28x28.py',
    '../_base_/evaluation/digits.py',
    '../_base_/schedules/adam_6e-4_8k.py',
    '../_base_/default_runtime.py',
]
model = dict(ema=dict(type='ExponentialMovingAverage', momentum=5e-3))
