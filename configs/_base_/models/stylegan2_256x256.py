# Configuration F of the paper. Gamma is that of FFHQ in 1024x1024.
model = dict(
    type='GAN',
    generator=dict(type='StyleGAN2Generator', image_shape=(3, 256, 256)),
    discriminator=dict(type='StyleGAN2Discriminator', image_shape=(3, 256, 256)),
    loss=dict(type='NonSaturatingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight=10.0, interval=16),
        dict(type='PathLengthRegularizer', weight=2.0, interval=4),
    ],
    ema=dict(type='HalfLifeMovingAverage', half_life=10_000, images_per_update=32, ramp_up=None),
)
