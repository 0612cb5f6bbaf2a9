_base_ = [
    '../_base_/models/stylegan2_256x256.py',
    '../_base_/datasets/image_folder_64x64.py',
    '../_base_/schedules/adam_lazy_2e-3_781k.py',
    '../_base_/default_runtime.py',
]
train_dataloader = dict(batch_size=32, dataset=dict(image_size=256))
