"""A plan becomes a config that is valid, readable and has the reasons."""

import dataclasses

import pytest
from mmengine.config import Config

from mmgan_lite.config_validation import check_config
from mmgan_lite.own_data.config_writer import Plan, config_text
from mmgan_lite.own_data.planning import Choice, Networks


@pytest.fixture
def plan():
    return Plan(
        request=dict(data='/photos', budget=300.0, bit_depth=None),
        path='work_dirs/photos-32/photos-32.py',
        work_dir='work_dirs/photos-32',
        dataset=dict(
            type='ImageFolderDataset', data_root="/it's", image_size=(32, 48), labels=None
        ),
        num_workers=2,
        on_gpu=False,
        image_shape=(3, 32, 48),
        num_classes=None,
        networks=Networks((32, 48), width=8),
        batch_size=16,
        augmentation=dict(type='DiffAugment'),
        choices=dict(size=Choice('32x48', '--size'), data=Choice('read', 'it is {so} large. ' * 9)),
        iterations=1000,
    )


def test_valid_and_as_planned(plan):
    cfg = Config.fromstring(config_text(plan), '.py')
    assert check_config(cfg) == []
    assert cfg._request == dict(data='/photos', budget=300.0, bit_depth=None)
    assert cfg.train_dataloader.dataset.data_root == "/it's"
    assert cfg.train_dataloader.batch_size == 16
    assert cfg.model.generator.channels == (64, 32, 16, 8)
    assert cfg.model.discriminator.channels == (8, 16, 32, 64)
    assert cfg.model.generator.image_shape == (3, 32, 48)
    assert cfg.model.augmentation == dict(type='DiffAugment')
    assert cfg.param_scheduler[0].end == cfg.train_cfg.max_iters == 1000
    assert cfg.default_hooks.samples.interval == 50
    assert cfg.default_hooks.checkpoint.type == 'GANCheckpointHook'  # of the default runtime
    assert 'val_evaluator' not in cfg


def test_16_bits(plan):
    dataset = dict(type='ImageFolderDataset', data_root='/x', image_size=(32, 48), bit_depth=16)
    request = dict(data='/x', bit_depth=16)
    cfg = Config.fromstring(
        config_text(dataclasses.replace(plan, dataset=dataset, request=request)), '.py'
    )
    assert check_config(cfg) == []
    assert cfg.model.data_preprocessor == dict(type='ImageBatchPreprocessor', bit_depth=16)
    assert 'data_preprocessor' not in Config.fromstring(config_text(plan), '.py').model


@pytest.mark.parametrize(
    'changes',
    [
        dict(dtype='bfloat16', num_classes=3),
        dict(augmentation=None, num_scored=7),
        dict(
            dataset=dict(type='PackedImageDataset', data_root='/packed'),
            num_workers=0,
            image_shape=(6, 32, 48),
            iterations=1,
        ),
    ],
)
def test_valid_in_every_form(plan, changes):
    cfg = Config.fromstring(config_text(dataclasses.replace(plan, **changes)), '.py')
    assert check_config(cfg) == []
    assert cfg.model.generator.num_classes == changes.get('num_classes')
    assert cfg.optim_wrapper.generator.dtype == changes.get('dtype')
    if num := changes.get('num_scored'):
        assert cfg.val_dataloader.sampler.num_samples == cfg.val_evaluator.num_samples == num
        assert cfg.train_cfg.val_interval == 200


def test_reasons_are_comments_of_one_width(plan):
    lines = config_text(plan).splitlines()
    assert '# Size: 32x48; --size.' in lines
    reason = [line for line in lines if 'it is {so} large' in line]
    assert len(reason) > 1
    assert all(line.startswith('# ') for line in reason)
    assert max(map(len, lines)) <= 100
