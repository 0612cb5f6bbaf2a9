_base_ = './r3gan_mnist-28x28_cpu.py'
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(generator=dict(num_classes=10), discriminator=dict(num_classes=10))
