# Small networks for training on a CPU.
model = dict(
    type='GAN',
    generator=dict(type='ResizeConvGenerator', latent_dim=64, image_shape=(1, 28, 28)),
    discriminator=dict(type='ResizeConvDiscriminator', image_shape=(1, 28, 28)),
    loss=dict(type='RelativisticPairingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight=0.1, interval=16),
        dict(type='R2Regularizer', weight=0.1, interval=16),
    ],
    channels_last=True,
)
