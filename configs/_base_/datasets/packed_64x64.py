# mmgan-lite pack-dataset FOLDER data/packed --image-size 64
train_dataloader = dict(
    batch_size=64,
    num_workers=2,  # they wait for the disk, so that training does not
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(type='PackedImageDataset', data_root='data/packed'),
)
