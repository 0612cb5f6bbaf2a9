train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # one indexing step a batch: a worker could only copy it
    sampler=dict(type='InfiniteSampler', shuffle=True),
    collate_fn=dict(type='mmgan_lite.image_collate'),
    dataset=dict(
        type='StackedMNISTDataset', data_root='data', split='train', num_images=128_000, seed=0
    ),
)
