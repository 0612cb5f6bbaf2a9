train_dataloader = dict(
    batch_size=64,
    num_workers=4,  # for decoding; use more if CPU cores are idle
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='ImageFolderDataset', data_root='data/images', image_size=64),
)
