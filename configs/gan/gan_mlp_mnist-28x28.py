_base_ = [
    '../_base_/models/gan_mlp_28x28.py',
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_1e-4_34k.py',
    '../_base_/default_runtime.py',
]
