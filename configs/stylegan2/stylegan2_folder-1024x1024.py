_base_ = './stylegan2_folder-256x256.py'
model = dict(
    generator=dict(image_shape=(3, 1024, 1024)), discriminator=dict(image_shape=(3, 1024, 1024))
)
train_dataloader = dict(dataset=dict(image_size=1024))
