# Pairs of the npm packages emoji-datasource-google and emoji-datasource-twitter, on white.
_dataset = dict(
    type='PairedImageDataset', data_root='data/emoji', source='google', target='twitter'
)
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(image_size=64, flip=True, split='train', **_dataset),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=20,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(image_size=64, split='val', **_dataset),
)
val_evaluator = dict(type='GANEvaluator', metrics=[dict(type='PairedImageMetric')])
test_cfg = dict()
test_dataloader = val_dataloader
test_evaluator = val_evaluator
