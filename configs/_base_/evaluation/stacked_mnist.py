# The MNIST classifier is applied to each channel: 1,000 classes.
# During training: 2,000 generated images, which can show at most about 870 of the classes.
val_cfg = dict()
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='StackedMNISTDataset', data_root='data', split='test', num_images=2000, seed=0
    ),
)
val_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[dict(type='FrechetDistance'), dict(type='ModeCoverage')],
    train_dataset=dict(
        type='StackedMNISTDataset', data_root='data', split='train', num_images=2000, seed=0
    ),
)
# The protocol of PacGAN: 26,000 generated images.
test_cfg = dict()
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='StackedMNISTDataset', data_root='data', split='test', num_images=26_000, seed=0
    ),
)
test_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='MNISTClassifier'),
    metrics=[
        dict(type='FrechetDistance'),
        dict(type='KernelDistance'),
        dict(type='ModeCoverage'),
    ],
    train_dataset=dict(
        type='StackedMNISTDataset', data_root='data', split='train', num_images=26_000, seed=0
    ),
)
