# Create the data with: mmgan-lite pack-dataset FOLDER data/packed --image-size 64
train_dataloader = dict(
    batch_size=64,
    num_workers=2,  # load from disk in the background
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='PackedImageDataset', data_root='data/packed'),
)
