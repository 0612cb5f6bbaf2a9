_base_ = './pix2pix_facades-256x256.py'
# From aerial photographs to maps: 200 epochs of 1,096 pairs.
train_dataloader = dict(dataset=dict(data_root='data/maps/train', direction='a2b'))
val_dataloader = dict(dataset=dict(data_root='data/maps/val', direction='a2b'))
test_dataloader = dict(dataset=dict(data_root='data/maps/val', direction='a2b'))
train_cfg = dict(max_iters=219_200, val_interval=54_800)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        by_epoch=False,
        begin=109_600,
        end=219_200,
    )
]
