model = dict(
    type='GAN',
    generator=dict(type='DCGANGenerator', latent_dim=100, image_shape=(1, 28, 28)),
    discriminator=dict(type='DCGANDiscriminator', image_shape=(1, 28, 28)),
    loss=dict(type='NonSaturatingGANLoss'),
)
