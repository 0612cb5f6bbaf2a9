model = dict(
    type='GAN',
    generator=dict(type='MLPGenerator', latent_dim=100, image_shape=(1, 28, 28)),
    discriminator=dict(type='MLPDiscriminator', image_shape=(1, 28, 28)),
    loss=dict(type='NonSaturatingGANLoss'),
)
