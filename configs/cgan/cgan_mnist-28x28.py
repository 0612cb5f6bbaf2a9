_base_ = '../dcgan/dcgan_mnist-28x28.py'
model = dict(generator=dict(num_classes=10), discriminator=dict(num_classes=10))
# In addition: the accuracy of the requested classes.
val_evaluator = dict(metrics=[*_base_.val_evaluator.metrics, dict(type='ConditionalAccuracy')])
test_evaluator = dict(metrics=[*_base_.test_evaluator.metrics, dict(type='ConditionalAccuracy')])
