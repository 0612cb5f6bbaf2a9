# Features of the MNIST classifier. There is only one split, so generated images are compared with
# the 1,797 training images, and memorization is not measured.
val_cfg = dict()
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitsDataset', image_size=28),
)
val_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[
        dict(type='FrechetDistance'),
        dict(type='PrecisionRecall'),
        dict(type='ModeCoverage'),
    ],
)
test_cfg = dict()
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='DigitsDataset', image_size=28),
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
    ],
)
