# The residual networks of SNGAN and WGAN-GP for CIFAR-10.
model = dict(
    type='GAN',
    generator=dict(type='ResNetGenerator', latent_dim=128, image_shape=(3, 32, 32)),
    discriminator=dict(type='ResNetDiscriminator', image_shape=(3, 32, 32)),
    loss=dict(type='HingeGANLoss'),
)
