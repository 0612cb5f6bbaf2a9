# Written by: mmgan-lite download-dataset facades --out data. From labels to photographs.
_pairs = dict(type='PairedImageDataset', image_size=256, direction='b2a')
train_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(data_root='data/facades/train', load_size=286, flip=True, **_pairs),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root='data/facades/val', **_pairs),
)
test_cfg = dict()
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(data_root='data/facades/test', **_pairs),
)
_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='InceptionV3'),
    metrics=[dict(type='PairedImageMetric'), dict(type='FrechetDistance')],
)
val_evaluator = _evaluator
test_evaluator = _evaluator
