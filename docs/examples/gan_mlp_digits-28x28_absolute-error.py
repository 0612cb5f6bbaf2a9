"""The digits config with a custom loss."""

_base_ = '../../configs/gan/gan_mlp_digits-28x28.py'
custom_imports = dict(imports=['absolute_error_loss'])
work_dir = 'work_dirs/{{ fileBasenameNoExtension }}'
model = dict(loss=dict(type='AbsoluteErrorGANLoss'))
