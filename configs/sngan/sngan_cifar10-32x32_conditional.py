_base_ = './sngan_cifar10-32x32.py'
# Class-conditional batch norm in the generator, projection in the discriminator.
model = dict(generator=dict(num_classes=10), discriminator=dict(num_classes=10))
