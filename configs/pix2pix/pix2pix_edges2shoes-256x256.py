_base_ = './pix2pix_facades-256x256.py'
# From edges to photographs: 15 epochs of 49,825 pairs, without crops and flips.
_pairs = dict(direction='a2b', load_size=None, flip=False)
train_dataloader = dict(batch_size=4, dataset=dict(data_root='data/edges2shoes/train', **_pairs))
val_dataloader = dict(dataset=dict(data_root='data/edges2shoes/val', direction='a2b'))
test_dataloader = dict(dataset=dict(data_root='data/edges2shoes/val', direction='a2b'))
train_cfg = dict(max_iters=186_840, val_interval=46_710)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.0,
        by_epoch=False,
        begin=93_420,
        end=186_840,
    )
]
