"""The conditional digits config with a custom dataset."""

_base_ = '../../configs/gan/gan_mlp_digits-28x28_conditional.py'
custom_imports = dict(imports=['discs_dataset'])
train_dataloader = dict(dataset=dict(_delete_=True, type='DiscsDataset', image_size=28))
# The evaluation of the base config uses the digits.
val_cfg = val_dataloader = val_evaluator = None
test_cfg = test_dataloader = test_evaluator = None
model = dict(generator=dict(num_classes=2), discriminator=dict(num_classes=2))
