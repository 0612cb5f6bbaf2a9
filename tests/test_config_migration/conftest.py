"""Old configs: settings of those that MMGeneration 0.x, its 1.x and MMagic have, in short."""

import pytest

_BASES = {
    'runtime': """
checkpoint_config = dict(interval=10000, by_epoch=False)
log_config = dict(interval=100, hooks=[dict(type='TextLoggerHook')])
custom_hooks = [dict(type='VisualizeUnconditionalSamples', output_dir='samples', interval=1000)]
use_ddp_wrapper = True
runner = dict(type='DynamicIterBasedRunner', is_dynamic_ddp=True, pass_training_status=True)
dist_params = dict(backend='nccl')
log_level = 'INFO'
load_from = None
resume_from = None
workflow = [('train', 10000)]
cudnn_benchmark = True
""",
    'new_runtime': """
default_scope = 'mmgen'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=100),
    checkpoint=dict(type='CheckpointHook', interval=10000, by_epoch=False, save_optimizer=True))
env_cfg = dict(cudnn_benchmark=True)
log_processor = dict(by_epoch=False)
load_from = None
resume = None
model_wrapper_cfg = dict(type='MMSeparateDistributedDataParallel', broadcast_buffers=False)
train_cfg = dict(by_epoch=False, val_begin=1, val_interval=10000)
val_cfg = dict(type='GenValLoop')
val_evaluator = dict(type='GenEvaluator')
test_cfg = dict(type='GenTestLoop')
test_evaluator = dict(type='GenEvaluator')
optim_wrapper = dict(constructor='GenOptimWrapperConstructor')
""",
    'images_64': """
dataset_type = 'UnconditionalImageDataset'
train_pipeline = [
    dict(type='LoadImageFromFile', key='real_img', io_backend='disk'),
    dict(type='Resize', keys=['real_img'], scale=(64, 64)),
    dict(type='Normalize', keys=['real_img'], mean=[127.5] * 3, std=[127.5] * 3, to_rgb=False),
    dict(type='Collect', keys=['real_img'], meta_keys=['real_img_path'])
]
data = dict(
    samples_per_gpu=None,
    workers_per_gpu=4,
    train=dict(type=dataset_type, imgs_root=None, pipeline=train_pipeline),
    val=dict(type=dataset_type, imgs_root=None, pipeline=train_pipeline))
""",
}
_CONFIGS = {
    'dcgan': """
_base_ = ['base/images_64.py', 'base/runtime.py']
model = dict(
    type='StaticUnconditionalGAN',
    generator=dict(type='DCGANGenerator', output_scale=64, base_channels=1024, out_channels=1),
    discriminator=dict(
        type='DCGANDiscriminator', input_scale=64, output_scale=4, out_channels=1, in_channels=1),
    gan_loss=dict(type='GANLoss', gan_type='vanilla'))
train_cfg = dict(disc_steps=1)
test_cfg = None
train_pipeline = [
    dict(type='LoadImageFromFile', key='real_img', flag='grayscale', io_backend='disk'),
    dict(type='Resize', keys=['real_img'], scale=(64, 64)),
]
data = dict(
    samples_per_gpu=128, train=dict(imgs_root='data/mnist_64', pipeline=train_pipeline), val=None)
lr_config = None
checkpoint_config = dict(interval=500, by_epoch=False)
total_iters = 5000
metrics = dict(
    ms_ssim10k=dict(type='MS_SSIM', num_images=10000),
    swd16k=dict(type='SWD', num_images=16384, image_shape=(3, 64, 64)))
optimizer = dict(
    generator=dict(type='Adam', lr=0.0004, betas=(0.5, 0.999)),
    discriminator=dict(type='Adam', lr=0.0001, betas=(0.5, 0.999)))
""",
    'stylegan2': """
_base_ = 'base/new_runtime.py'
d_reg_interval = 16
g_reg_interval = 4
g_reg_ratio = g_reg_interval / (g_reg_interval + 1)
d_reg_ratio = d_reg_interval / (d_reg_interval + 1)
ema_half_life = 10.
model = dict(
    type='StyleGAN2',
    data_preprocessor=dict(type='mmgen.GANDataPreprocessor'),
    generator=dict(type='StyleGANv2Generator', out_size=256, style_channels=512),
    discriminator=dict(
        type='ADAStyleGAN2Discriminator',
        in_size=256,
        data_aug=dict(type='ADAAug', ada_target=0.6, ada_kimg=500)),
    ema_config=dict(
        type='ExponentialMovingAverage',
        interval=1,
        momentum=0.5**(32. / (ema_half_life * 1000.))),
    loss_config=dict(
        r1_loss_weight=10. / 2. * d_reg_interval,
        r1_interval=d_reg_interval,
        norm_mode='HWC',
        g_reg_interval=g_reg_interval,
        g_reg_weight=2. * g_reg_interval,
        pl_batch_shrink=2))
train_cfg = dict(max_iters=800002)
optim_wrapper = dict(
    generator=dict(
        optimizer=dict(type='Adam', lr=0.002 * g_reg_ratio, betas=(0, 0.99**g_reg_ratio))),
    discriminator=dict(
        optimizer=dict(type='Adam', lr=0.002 * d_reg_ratio, betas=(0, 0.99**d_reg_ratio))))
batch_size = 4
data_root = './data/ffhq'
_pipeline = [
    dict(type='LoadImageFromFile', key='img'),
    dict(type='Flip', keys=['img'], direction='horizontal'),
    dict(type='PackGenInputs')
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    dataset=dict(type='UnconditionalImageDataset', data_root=data_root, pipeline=_pipeline),
    sampler=dict(type='InfiniteSampler', shuffle=True),
    persistent_workers=True)
custom_hooks = [
    dict(
        type='GenVisualizationHook',
        interval=5000,
        fixed_input=True,
        sample_kwargs_list=dict(type='GAN', name='fake_img'))
]
metrics = [
    dict(
        type='FrechetInceptionDistance',
        prefix='FID-Full-50k',
        fake_nums=50000,
        inception_style='StyleGAN',
        sample_model='ema'),
    dict(type='PerceptualPathLength', fake_nums=50000, prefix='ppl-w'),
    dict(type='Equivariance', fake_nums=50000)
]
val_evaluator = dict(metrics=metrics)
test_evaluator = dict(metrics=metrics)
""",
    'sngan': """
_base_ = ['base/runtime.py']
dataset_type = 'mmcls.CIFAR10'
num_classes = 10
init_cfg = dict(type='studio')
model = dict(
    type='BasiccGAN',
    num_classes=num_classes,
    generator=dict(
        type='SNGANGenerator', output_scale=32, base_channels=256, num_classes=num_classes,
        init_cfg=init_cfg),
    discriminator=dict(
        type='ProjDiscriminator', input_scale=32, base_channels=128, num_classes=num_classes,
        init_cfg=init_cfg),
    gan_loss=dict(type='GANLoss', gan_type='hinge'))
n_disc = 5
train_cfg = dict(disc_steps=n_disc)
test_cfg = None
data = dict(
    samples_per_gpu=64,
    workers_per_gpu=4,
    train=dict(
        type='RepeatDataset',
        times=500,
        dataset=dict(
            type=dataset_type,
            data_prefix='data/cifar10',
            pipeline=[
                dict(type='RandomFlip', flip_prob=0.5, direction='horizontal'),
                dict(type='Normalize', mean=[127.5] * 3, std=[127.5] * 3, to_rgb=False),
                dict(type='Collect', keys=['img', 'gt_label'])
            ])))
custom_hooks = [
    dict(
        type='ExponentialMovingAverageHook',
        module_keys=('generator_ema', ),
        interval=n_disc,
        start_iter=5000,
        interp_cfg=dict(momentum=0.9999),
        priority='VERY_HIGH')
]
total_iters = 100000 * n_disc
lr_config = dict(
    policy='Linear', by_epoch=False, target_lr=0, start=0, interval=1)
evaluation = dict(
    type='GenerativeEvalHook',
    interval=10000,
    metrics=[
        dict(type='FID', num_images=50000, inception_pkl=None, bgr2rgb=True),
        dict(type='IS', num_images=50000)
    ],
    best_metric=['fid', 'is'],
    sample_kwargs=dict(sample_model='orig'))
optimizer = dict(
    generator=dict(type='Adam', lr=0.0002, betas=(0.5, 0.999)),
    discriminator=dict(type='Adam', lr=0.0002, betas=(0.5, 0.999)))
""",
    'pix2pix': """
_base_ = ['base/new_runtime.py']
source_domain = 'mask'
target_domain = 'photo'
model = dict(
    type='Pix2Pix',
    generator=dict(
        type='UnetGenerator', in_channels=3, out_channels=3, num_down=8, base_channels=64,
        norm_cfg=dict(type='BN'), use_dropout=True, init_cfg=dict(type='normal', gain=0.02)),
    discriminator=dict(
        type='PatchDiscriminator', in_channels=6, base_channels=64, num_conv=3,
        norm_cfg=dict(type='BN'), init_cfg=dict(type='normal', gain=0.02)),
    loss_config=dict(pixel_loss_weight=100.0),
    default_domain=target_domain,
    reachable_domains=[target_domain],
    related_domains=[target_domain, source_domain])
train_cfg = dict(max_iters=80000)
domain_a = target_domain
domain_b = source_domain
_load = dict(
    type='LoadPairedImageFromFile', key='pair', domain_a=domain_a, domain_b=domain_b, flag='color')
_keys = [f'img_{domain_a}', f'img_{domain_b}']
train_pipeline = [
    _load,
    dict(
        type='TransformBroadcaster',
        mapping={'img': _keys},
        transforms=[
            dict(type='mmgen.Resize', scale=(286, 286), interpolation='bicubic'),
            dict(type='mmgen.FixedCrop', crop_size=(256, 256))
        ]),
    dict(type='Flip', keys=_keys, direction='horizontal'),
    dict(type='PackGenInputs', keys=_keys)
]
test_pipeline = [
    _load, dict(type='Resize', keys=_keys, scale=(256, 256)), dict(type='PackGenInputs')
]
dataroot = 'data/pix2pix/facades'
train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    dataset=dict(type='PairedImageDataset', data_root=dataroot, pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        type='PairedImageDataset', test_mode=True, data_root=dataroot, pipeline=test_pipeline))
_adam = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999)))
optim_wrapper = dict(generators=_adam, discriminators=_adam)
metrics = [
    dict(type='TransFID', prefix='FID', fake_nums=106, fake_key=f'fake_{target_domain}')
]
val_evaluator = dict(metrics=metrics)
""",
    'cyclegan': """
_base_ = ['base/runtime.py']
domain_a = 'horse'
domain_b = 'zebra'
model = dict(
    type='CycleGAN',
    generator=dict(
        type='ResnetGenerator', in_channels=3, out_channels=3, base_channels=64,
        norm_cfg=dict(type='IN'), use_dropout=False, num_blocks=9, padding_mode='reflect'),
    discriminator=dict(
        type='PatchDiscriminator', in_channels=3, base_channels=64, num_conv=3,
        norm_cfg=dict(type='IN')),
    gan_loss=dict(
        type='GANLoss', gan_type='lsgan', real_label_val=1.0, fake_label_val=0.0, loss_weight=1.0),
    default_domain=domain_b,
    reachable_domains=[domain_a, domain_b],
    related_domains=[domain_a, domain_b],
    gen_auxiliary_loss=[
        dict(
            type='L1Loss', loss_weight=10.0, loss_name='cycle_loss',
            data_info=dict(pred=f'cycle_{domain_a}', target=f'real_{domain_a}'), reduction='mean'),
        dict(
            type='L1Loss', loss_weight=0.5, loss_name='id_loss',
            data_info=dict(pred=f'identity_{domain_a}', target=f'real_{domain_a}'))
    ])
train_cfg = dict(buffer_size=50)
train_pipeline = [
    dict(type='LoadImageFromFile', key=f'img_{domain_a}', flag='color'),
    dict(type='Resize', keys=[f'img_{domain_a}'], scale=(286, 286)),
    dict(type='Crop', keys=[f'img_{domain_a}'], crop_size=(256, 256), random_crop=True),
    dict(type='Flip', keys=[f'img_{domain_a}'], direction='horizontal')
]
data = dict(
    samples_per_gpu=1,
    workers_per_gpu=4,
    train=dict(
        type='UnpairedImageDataset', dataroot='./data/horse2zebra', pipeline=train_pipeline,
        test_mode=False, domain_a=domain_a, domain_b=domain_b))
lr_config = dict(
    policy='Linear', by_epoch=False, target_lr=0, start=135000, interval=1350)
total_iters = 270000
optimizer = dict(
    generators=dict(type='Adam', lr=0.0002, betas=(0.5, 0.999)),
    discriminators=dict(type='Adam', lr=0.0002, betas=(0.5, 0.999)))
""",
    'biggan': """
_base_ = ['base/new_runtime.py']
model = dict(
    type='BigGAN',
    num_classes=10,
    data_preprocessor=dict(type='DataPreprocessor'),
    generator=dict(
        type='BigGANGenerator', output_scale=32, noise_size=128, num_classes=10, base_channels=64,
        with_shared_embedding=False, sn_eps=1e-8, sn_style='torch', init_type='N02',
        split_noise=False, auto_sync_bn=False),
    discriminator=dict(
        type='BigGANDiscriminator', input_scale=32, num_classes=10, base_channels=64, sn_eps=1e-8,
        sn_style='torch', init_type='N02', with_spectral_norm=True),
    generator_steps=1,
    discriminator_steps=4,
    ema_config=dict(
        type='ExponentialMovingAverage', interval=4, momentum=0.0001, start_iter=4000))
train_cfg = dict(max_iters=500000)
train_dataloader = dict(
    batch_size=25,
    num_workers=8,
    dataset=dict(type='CIFAR10', data_prefix='./data/cifar10', test_mode=False, pipeline=[]))
_adam = dict(optimizer=dict(type='Adam', lr=0.0002, betas=(0.0, 0.999), eps=1e-6))
optim_wrapper = dict(generator=_adam, discriminator=_adam)
custom_hooks = [dict(type='VisualizationHook', interval=10000, fixed_input=True)]
""",
    'pggan': """
_base_ = ['base/runtime.py']
model = dict(
    type='ProgressiveGrowingGAN',
    generator=dict(type='PGGANGenerator', out_scale=128, noise_size=512),
    discriminator=dict(type='PGGANDiscriminator', in_scale=128),
    gan_loss=dict(type='GANLoss', gan_type='wgan'),
    disc_auxiliary_loss=[
        dict(
            type='DiscShiftLoss', loss_weight=0.001 * 0.5,
            data_info=dict(pred='disc_pred_fake')),
        dict(
            type='DiscShiftLoss', loss_weight=0.001 * 0.5,
            data_info=dict(pred='disc_pred_real')),
        dict(
            type='GradientPenaltyLoss', loss_weight=10, norm_mode='HWC',
            data_info=dict(discriminator='disc_partial'))
    ])
train_cfg = dict(
    use_ema=True,
    nkimgs_per_scale={
        '4': 600, '8': 1200, '16': 1200, '32': 1200, '64': 1200, '128': 12000},
    transition_kimgs=600,
    optimizer_cfg=dict(generator=dict(type='Adam', lr=0.001, betas=(0., 0.99))))
optimizer = None
data = dict(
    samples_per_gpu=64,
    train=dict(
        type='GrowScaleImgDataset',
        imgs_roots={'64': './data/lsun/images_64', '128': './data/lsun/images_128'},
        gpu_samples_base=4,
        gpu_samples_per_scale={'4': 64, '8': 32},
        pipeline=[dict(type='Flip', keys=['real_img'], direction='horizontal')]))
custom_hooks = [
    dict(type='PGGANFetchDataHook', interval=1),
    dict(
        type='ExponentialMovingAverageHook', module_keys=('generator_ema', ), interval=1,
        priority='VERY_HIGH')
]
total_iters = 280000
""",
    'wgan_gp': """
_base_ = ['base/new_runtime.py']
loss_config = dict(gp_norm_mode='HWC', gp_loss_weight=10)
model = dict(
    type='WGANGP',
    data_preprocessor=dict(type='GANDataPreprocessor'),
    generator=dict(type='WGANGPGenerator', noise_size=128, out_scale=128),
    discriminator=dict(
        type='WGANGPDiscriminator', in_channel=3, in_scale=128,
        conv_module_cfg=dict(kernel_size=3, norm_cfg=dict(type='GN'))),
    discriminator_steps=5,
    loss_config=loss_config)
train_cfg = dict(max_iters=160000)
train_dataloader = dict(
    batch_size=64,
    dataset=dict(
        type='GrowScaleImgDataset', data_roots={'128': 'data/celeba-cropped'},
        pipeline=[dict(type='Resize', scale=(128, 128))]))
_adam = dict(optimizer=dict(type='Adam', lr=0.0001, betas=(0.5, 0.9)))
optim_wrapper = dict(generator=_adam, discriminator=_adam)
""",
}
OLD_CONFIGS = tuple(_CONFIGS)


@pytest.fixture
def old(tmp_path):
    """Write an old config and its bases; returns its path."""

    def write(name, text=None, **changes):
        (tmp_path / 'base').mkdir(exist_ok=True)
        for base, content in _BASES.items():
            (tmp_path / 'base' / f'{base}.py').write_text(content)
        text = _CONFIGS[name] if text is None else text
        for before, after in changes.items():
            assert before in text
            text = text.replace(before, after)
        path = tmp_path / f'{name}.py'
        path.write_text(text.lstrip())
        return path

    return write


def pytest_generate_tests(metafunc):
    if 'old_name' in metafunc.fixturenames:
        metafunc.parametrize('old_name', OLD_CONFIGS)
