_base_ = 'biggan_folder-128x128.py'
# The paper's deeper networks, with fewer parameters; all else is the same.
model = dict(
    generator=dict(
        type='BigGANDeepGenerator',
        latent_dim=128,
        channels=(2048, 2048, 1024, 512, 256, 128),
    ),
    discriminator=dict(
        type='BigGANDeepDiscriminator',
        channels=(128, 256, 512, 1024, 2048, 2048),
    ),
)
