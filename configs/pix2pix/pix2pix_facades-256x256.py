_base_ = [
    '../_base_/datasets/facades_256x256.py',
    '../_base_/schedules/adam_2e-4_80k_linear.py',
    '../_base_/default_runtime.py',
]
# 200 epochs of 400 pairs.
model = dict(
    type='Pix2Pix',
    generator=dict(type='UNetTranslator'),
    discriminator=dict(type='PatchDiscriminator', in_channels=6),
    loss=dict(type='NonSaturatingGANLoss'),
    test_statistics='batch',
)
