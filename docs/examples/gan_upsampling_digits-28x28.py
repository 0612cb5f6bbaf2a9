"""The digits config with a generator of our own."""

_base_ = '../../configs/gan/gan_mlp_digits-28x28.py'
custom_imports = dict(imports=['upsampling_generator'])
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(
    generator=dict(
        _delete_=True,  # nothing of the base's generator
        type='UpsamplingGenerator',
        latent_dim=64,
        image_shape=(1, 28, 28),
    )
)
