_base_ = [
    '../_base_/datasets/mnist_28x28.py',
    '../_base_/evaluation/mnist.py',
    '../_base_/schedules/adam_15e-4_2300.py',
    '../_base_/default_runtime.py',
]
# Narrow networks on digits padded to 32x32, for about ten minutes on two cores. Scores are on the
# 28x28 pixels without the padding.
_networks = dict(image_shape=(1, 32, 32), channel_base=512, channel_max=64)
model = dict(
    type='GAN',
    generator=dict(
        type='StyleGAN2Generator',
        latent_dim=64,
        style_dim=64,
        num_mapping_layers=2,
        style_mixing=0.0,
        **_networks,
    ),
    discriminator=dict(type='StyleGAN2Discriminator', **_networks),
    loss=dict(type='NonSaturatingGANLoss'),
    regularizers=[dict(type='R1Regularizer', weight=0.1, interval=16)],
    ema=dict(type='ExponentialMovingAverage', momentum=2e-3, warm_up=True),
    channels_last=True,
)
_adam = dict(optimizer=dict(lr=2.5e-3))
optim_wrapper = dict(generator=_adam, discriminator=_adam)
_padded = dict(dataset=dict(padding=2))
_extractor = dict(padding=2)
train_dataloader = _padded
val_dataloader = _padded
test_dataloader = _padded
val_evaluator = dict(extractor=_extractor, train_dataset=dict(padding=2))
test_evaluator = dict(extractor=_extractor, train_dataset=dict(padding=2))
