_base_ = [
    '../_base_/models/dcgan_28x28.py',
    '../_base_/datasets/image_folder_64x64.py',
    '../_base_/schedules/adam_2e-4_15k.py',
    '../_base_/default_runtime.py',
]
# The paper's networks. With base_channels=128 the generator's widest layer has 1024 channels.
model = dict(
    generator=dict(image_shape=(3, 64, 64), base_channels=128),
    discriminator=dict(image_shape=(3, 64, 64), base_channels=128),
)
train_dataloader = dict(batch_size=128)
train_cfg = dict(max_iters=34375)  # 4.4 million images
