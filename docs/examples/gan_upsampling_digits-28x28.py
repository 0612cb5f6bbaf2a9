"""The digits config with a custom generator."""

_base_ = '../../configs/gan/gan_mlp_digits-28x28.py'
custom_imports = dict(imports=['upsampling_generator'])
model = dict(
    generator=dict(
        _delete_=True,  # discard the generator of the base config
        type='UpsamplingGenerator',
        latent_dim=64,
        image_shape=(1, 28, 28),
    )
)
