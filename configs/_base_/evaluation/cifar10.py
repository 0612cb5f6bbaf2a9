# Inception's weights are downloaded if they are missing. To read them from a file:
# --cfg-options val_evaluator.extractor.weights=FILE test_evaluator.extractor.weights=FILE
# During training: 10,000 generated images and the test images.
val_cfg = dict()
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CIFAR10Dataset', data_root='data', split='test'),
)
val_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='InceptionV3'),
    metrics=[dict(type='FrechetDistance'), dict(type='InceptionScore')],
)
# The protocol of the papers: 50,000 generated images and the training images.
test_cfg = dict()
test_dataloader = dict(
    batch_size=250,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CIFAR10Dataset', data_root='data', split='train'),
)
test_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='InceptionV3'),
    metrics=[
        dict(type='FrechetDistance'),
        dict(type='KernelDistance'),
        dict(type='InceptionScore'),
    ],
)
