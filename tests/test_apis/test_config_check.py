"""All mistakes of a config at once."""

import copy
import functools

import pytest

import mmgan_lite
from mmgan_lite.apis import check_config
from mmgan_lite.apis.config_check import require_valid


@pytest.fixture
def cfg():
    return mmgan_lite.get_config('gan_mlp_digits-28x28')


def mistakes(cfg, **settings):
    """Where mistakes are after dotted settings (``__`` for the dot)."""
    cfg = copy.deepcopy(cfg)
    for key, value in settings.items():
        path, _, last = key.rpartition('__')
        place = functools.reduce(getattr, path.split('__') if path else [], cfg)
        setattr(place, last, value)
    return check_config(cfg)


def places(cfg, **settings):
    return [problem.partition(': ')[0] for problem in mistakes(cfg, **settings)]


def test_one_error_lists_all(cfg):
    cfg.modl = {}
    cfg.model.generator.laten_dim = 3
    cfg.model.discriminator.hidden_dims = 'wide'
    cfg.train_cfg.max_iters = 0
    cfg.optim_wrapper.generator.optimizer.lr = -1.0
    cfg.param_scheduler[0].end_factor = '0'
    cfg.default_hooks.logger.interval = 0
    cfg.train_dataloader.dataset.image_sise = 28
    with pytest.raises(ValueError, match=r'^The config has 8 mistakes:\n') as error:
        require_valid(cfg)
    lines = str(error.value).splitlines()[1:]
    assert [line.split(': ')[0].strip() for line in lines] == [
        'modl',
        'model.generator.laten_dim',
        'model.discriminator.hidden_dims',
        'train_cfg.max_iters',
        'train_dataloader.dataset.image_sise',
        'optim_wrapper.generator.optimizer',
        'param_scheduler[0].end_factor',
        'default_hooks.logger.interval',
    ]
    assert "Did you mean 'model'?" in lines[0]
    assert "Did you mean 'latent_dim'?" in lines[1]
    assert 'Invalid learning rate: -1.0' in lines[5]


def test_the_config_is_not_changed(cfg):
    before = copy.deepcopy(cfg.to_dict())
    check_config(cfg)
    assert cfg.to_dict() == before


def test_neither_data_nor_downloads(cfg, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('mmgan_lite.datasets.downloads.obtain_files', lambda *a, **k: 1 / 0)
    for name in ('gan_mlp_mnist-28x28', 'r3gan_stacked-mnist-28x28_cpu', 'dcgan_folder-64x64'):
        assert check_config(mmgan_lite.get_config(name)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (dict(model__generator__type='MLPGenerater'), 'model.generator.type'),
        (dict(model__loss=dict(kind='x')), 'model.loss'),
        (dict(model__generator__latent_dim=0), 'model.generator'),
        (dict(model__discriminator__image_shape=(3, 28, 28)), 'model'),
        (dict(train_cfg__by_epoch=True), 'train_cfg.max_iters'),
        (dict(train_dataloader__batch_size=-1), 'train_dataloader'),
        (dict(train_dataloader__sampler__type='InfiniteSample'), 'train_dataloader.sampler.type'),
        (dict(train_dataloader__colate_fn=None), 'train_dataloader.colate_fn'),
        (dict(train_dataloader__dataset__image_size=4), 'train_dataloader.dataset'),
        (dict(train_dataloader__dataset__image_size=32), 'train_dataloader.dataset'),
        (dict(optim_wrapper__generater=dict(optimizer=dict(type='SGD', lr=1.0))),
         'optim_wrapper.generater'),
        (dict(optim_wrapper__generator__dtype='float8'), 'optim_wrapper'),
        (dict(optim_wrapper__generator__clip_grad=dict(maxnorm=1)),
         'optim_wrapper.generator.clip_grad.maxnorm'),
        (dict(param_scheduler=dict(type='LinearLR', end=5)), 'param_scheduler.by_epoch'),
        (dict(param_scheduler=dict(generator=[])), 'param_scheduler.discriminator'),
        (dict(default_hooks__checkpoint__by_epoch=True), 'default_hooks.checkpoint.by_epoch'),
        (dict(default_hooks__logger2=dict(type="LoggerHook")),
         None),
        (dict(val_dataloader=None), 'val_dataloader'),
        (dict(randomness__sead=3), 'randomness.sead'),
        (dict(randomness__seed='a'), 'randomness.seed'),
        (dict(log_level='LOUD'), 'log_level'),
        (dict(env_cfg=dict(cudnn_bench=True)), 'env_cfg.cudnn_bench'),
        (dict(visualizer__vis_backends=[dict(type='NoBackend')]),
         'visualizer.vis_backends[0].type'),
        (dict(custom_hooks=[dict(type='AnnealHook', schedules=[
            dict(target='optimizer.*.lrs', start=1, end=0, iterations=5)])]), 'custom_hooks[0]'),
        (dict(custom_hooks=dict(type='AnnealHook')), 'custom_hooks'),
        (dict(model__ema=dict(type='HalfLifeMovingAverage', half_life=1e3, images_per_update=32,
                              momentum=None)), 'model.ema.momentum'),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_are(cfg, settings, expected):
    found = places(cfg, **settings)
    if expected is None:
        assert found == []
    else:
        assert expected in found


def test_settings_that_clash(cfg):
    average = dict(type='HalfLifeMovingAverage', half_life=1e3, images_per_update=32)
    cfg.model.ema = average
    (found,) = check_config(cfg)
    assert found == (
        'model.ema.images_per_update: must be the images from one step of the generator to the '
        'next, 64 with batch_size=64, got 32. Set images_per_update=64.'
    )
    cfg.model.ema.images_per_update = 128
    cfg.model.discriminator_steps = 2
    assert check_config(cfg) == []
    cfg.model.generator.num_classes = cfg.model.discriminator.num_classes = 5
    (found,) = check_config(cfg)
    assert found.startswith('model.generator.num_classes: must be at least 10, the number of')


def test_a_misspelt_default_hook_would_be_there_twice(cfg):
    cfg.default_hooks.checkpointt = cfg.default_hooks.pop('checkpoint')
    (found,) = check_config(cfg)
    assert found.startswith('default_hooks.checkpointt: ')
    assert found.endswith("Did you mean 'checkpoint'?")


def test_parts_that_are_missing(cfg):
    del cfg.model.loss
    cfg.pop('train_cfg')
    del cfg.train_dataloader.sampler
    del cfg.optim_wrapper.discriminator
    assert [problem.partition(': ')[0] for problem in check_config(cfg)] == [
        'train_cfg',
        'model.loss',
        'train_dataloader.sampler',
    ]
    cfg.model.loss = dict(type='HingeGANLoss')
    assert 'optim_wrapper.discriminator' in places(cfg)


def test_another_scope(cfg):
    cfg.default_scope = 'mmengine'
    assert check_config(cfg)[0] == (
        "model.type: 'GAN' is not registered as a model under the scope 'mmengine'. "
        "Set default_scope='mmgan_lite', or write 'mmgan_lite.GAN'."
    )


def test_evaluators(cfg):
    cfg.val_cfg = {}
    cfg.val_dataloader = dict(
        batch_size=8,
        dataset=dict(type='DigitsDataset', image_size=28),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='mmgan_lite.image_collate'),
    )
    cfg.val_evaluator = dict(
        type='GANEvaluator',
        metrics=[dict(type='FrechetDistance')],
        extractor=dict(type='InceptionV3'),
    )
    assert check_config(cfg) == []  # Inception is not fetched
    cfg.val_evaluator.metrics = [dict(type='Memorization')]
    (found,) = check_config(cfg)
    assert found.startswith('val_evaluator: Memorization needs train_dataset')
    cfg.val_evaluator.metrics = [dict(type='PrecisionRecall', neighbors=3)]
    assert places(cfg) == ['val_evaluator.metrics[0].neighbors']


def test_the_end_of_a_schedule_is_that_of_the_training(cfg):
    """Where it has none of its own, the Runner sets it; this one would begin afterwards."""
    cfg.param_scheduler[0].begin = 9000
    del cfg.param_scheduler[0].end
    (found,) = check_config(cfg)
    assert found.startswith('param_scheduler[0]: end should be larger than begin')


def test_parts_without_a_type(cfg):
    cfg.visualizer.vis_backends = [dict(typ='LocalVisBackend')]
    cfg.default_hooks.logger = None
    cfg.default_hooks.samples = None
    assert places(cfg) == ['default_hooks.samples', 'visualizer.vis_backends[0]']
    del cfg.visualizer['type']
    assert 'visualizer' in places(cfg)
