train_dataloader = dict(
    batch_size=64,
    num_workers=0,  # a batch is one indexing step; a worker would only copy it
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='DigitsDataset', image_size=28),
)
