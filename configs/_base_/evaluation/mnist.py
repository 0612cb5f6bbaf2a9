# Features of the built-in MNIST classifier.
# During training: 2,000 generated images.
val_cfg = dict()
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    # The first half of the test set is easier than the second, so use images from all of it.
    sampler=dict(type='SpreadSampler', num_samples=2000),
    dataset=dict(type='MNISTDataset', data_root='data', split='test'),
)
val_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[
        dict(type='FrechetDistance'),
        dict(type='PrecisionRecall'),
        dict(type='ModeCoverage'),
    ],
    num_samples=2000,
    train_dataset=dict(type='MNISTDataset', data_root='data', split='train'),
)
# After training: 10,000 generated images, as many as there are test images.
test_cfg = dict()
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MNISTDataset', data_root='data', split='test'),
)
test_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[
        dict(type='FrechetDistance'),
        dict(type='KernelDistance'),
        dict(type='InceptionScore'),
        dict(type='PrecisionRecall'),
        dict(type='DensityCoverage'),
        dict(type='ModeCoverage'),
        dict(type='Memorization'),
    ],
    train_dataset=dict(type='MNISTDataset', data_root='data', split='train'),
)
