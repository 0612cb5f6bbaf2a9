_base_ = './r3gan_mnist-28x28_cpu.py'
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(generator=dict(num_classes=10), discriminator=dict(num_classes=10))
# Besides: does a fake show the class that was asked for?
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
