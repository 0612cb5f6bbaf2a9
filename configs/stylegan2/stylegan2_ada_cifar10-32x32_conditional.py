_base_ = './stylegan2_ada_cifar10-32x32.py'
model = dict(generator=dict(num_classes=10), discriminator=dict(num_classes=10))
