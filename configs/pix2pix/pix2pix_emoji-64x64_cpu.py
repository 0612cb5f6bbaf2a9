_base_ = ['../_base_/datasets/emoji_64x64.py', '../_base_/default_runtime.py']
# Half as many channels as in the paper, for a CPU.
model = dict(
    type='Pix2Pix',
    generator=dict(type='UNetTranslator', base_channels=32, levels=6, dropout=0.0),
    discriminator=dict(type='PatchDiscriminator', in_channels=6, base_channels=32),
    loss=dict(type='NonSaturatingGANLoss'),
)
train_cfg = dict(by_epoch=False, max_iters=5200, val_interval=1300)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor',
    generator=dict(optimizer=dict(type='Adam', lr=4e-4, betas=(0.5, 0.999), fused=True)),
    discriminator=dict(optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999), fused=True)),
)
# For both networks: constant in the first half, then linear decay to 2 %.
param_scheduler = [
    dict(type='LinearLR', start_factor=1.0, end_factor=0.02, by_epoch=False, begin=2600, end=5200)
]
