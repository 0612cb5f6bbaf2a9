"""The digits config with a custom loss."""

_base_ = '../../configs/gan/gan_mlp_digits-28x28.py'
custom_imports = dict(imports=['absolute_error_loss'])
model = dict(loss=dict(type='AbsoluteErrorGANLoss'))
