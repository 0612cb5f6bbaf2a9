# Written by: mmgan-lite download-dataset horse2zebra --out data.
_folders = dict(type='UnpairedImageDataset', data_root='data/horse2zebra', image_size=256)
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(source='trainA', target='trainB', load_size=286, flip=True, **_folders),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(source='testA', target='testB', test_mode=True, **_folders),
)
test_cfg = dict()
test_dataloader = val_dataloader
_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='InceptionV3'),
    metrics=[dict(type='FrechetDistance')],
)
val_evaluator = _evaluator
test_evaluator = _evaluator
