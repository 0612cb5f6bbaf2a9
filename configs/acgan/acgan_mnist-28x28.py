_base_ = '../dcgan/dcgan_mnist-28x28.py'
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(
    generator=dict(num_classes=10),
    discriminator=dict(num_classes=10, conditioning='classifier'),
    auxiliary_loss=dict(type='AuxiliaryClassifierLoss'),
)
