_base_ = '../biggan/biggan_digits-28x28.py'
# Narrow, for a run of a few minutes on two cores. Attention at 14x14 in both.
model = dict(
    generator=dict(
        _delete_=True,
        type='SAGANGenerator',
        latent_dim=64,
        image_shape=(1, 28, 28),
        channels=(64, 32, 16),
        num_classes=10,
        attention=1,
    ),
    discriminator=dict(
        _delete_=True,
        type='SAGANDiscriminator',
        image_shape=(1, 28, 28),
        channels=(16, 32, 64),
        num_classes=10,
        attention=1,
    ),
)
