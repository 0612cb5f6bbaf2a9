_base_ = [
    '../_base_/models/dcgan_28x28.py',
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_2e-4_15k.py',
    '../_base_/default_runtime.py',
]
