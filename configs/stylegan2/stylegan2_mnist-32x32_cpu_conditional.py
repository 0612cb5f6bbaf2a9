_base_ = './stylegan2_mnist-32x32_cpu.py'
model = dict(
    generator=dict(num_classes=10),
    discriminator=dict(num_classes=10, num_mapping_layers=2),
)
# In addition: the accuracy of the requested classes.
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
