_base_ = './stylegan2_ada_folder-128x128.py'
model = dict(
    generator=dict(image_shape=(3, 64, 64)),
    discriminator=dict(image_shape=(3, 64, 64)),
    regularizers=[
        dict(type='R1Regularizer', weight=0.0256, interval=16),  # 0.0002 * 64 * 64 / 32
        dict(type='PathLengthRegularizer', weight=2.0, interval=4),
    ],
)
train_dataloader = dict(dataset=dict(image_size=64))
