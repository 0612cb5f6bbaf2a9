_base_ = './cyclegan_horse2zebra-256x256.py'
train_dataloader = dict(dataset=dict(data_root='data/summer2winter_yosemite'))
val_dataloader = dict(dataset=dict(data_root='data/summer2winter_yosemite'))
test_dataloader = dict(dataset=dict(data_root='data/summer2winter_yosemite'))
# 200 epochs of 1,231 images, the number of summer.
train_cfg = dict(max_iters=246_200, val_interval=61_550)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        by_epoch=False,
        begin=123_100,
        end=246_200,
    )
]
