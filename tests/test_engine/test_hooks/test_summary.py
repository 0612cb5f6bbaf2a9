"""The block with which the log of a training begins, against values set by hand."""

import uuid
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from mmgan_lite.datasets import EdgesToDigitsDataset, InMemoryImageDataset
from mmgan_lite.engine.hooks.summary import summarize
from mmgan_lite.models import AdversarialModel, Player


class Pair(AdversarialModel):
    """Two players, of 3 * 4 + 4 + 4 + 1 and of 48 + 1 parameters."""

    def __init__(self):
        super().__init__(
            dict(judge=Player(('eye',), 'judge'), painter=Player(('hand', 'brush'), 'painter'))
        )
        self.hand, self.brush = nn.Linear(3, 4), nn.Linear(4, 1)
        self.eye = nn.Sequential(nn.Flatten(), nn.Linear(48, 1))

    def losses(self, player, batch):
        raise NotImplementedError


@pytest.fixture
def runner(tmp_path):
    """Of a training that is resumed after 200 of its 1200 iterations."""
    dataset = InMemoryImageDataset(
        torch.zeros(9, 3, 4, 4, dtype=torch.uint8),
        labels=[0, 0, 1, 0, 1, 0, 0, 1, 0],
        metainfo=dict(classes=('cat', 'dog', 'emu')),
    )
    runner = Runner(
        model=Pair(),
        work_dir=str(tmp_path),
        cfg=Config(dict(a=1), cfg_text='a = 1', filename='configs/a/pair_zoo.py'),
        train_dataloader=dict(
            batch_size=2, dataset=dataset, sampler=dict(type='InfiniteSampler'), num_workers=0
        ),
        train_cfg=dict(by_epoch=False, max_iters=1200),
        optim_wrapper=dict(
            constructor='MultiOptimWrapperConstructor',
            judge=dict(optimizer=dict(type='SGD', lr=0.1), dtype='float16'),
            painter=dict(optimizer=dict(type='SGD', lr=0.1)),
        ),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', interval=500, by_epoch=False, max_keep_ckpts=3)
        ),
        default_scope='mmgan_lite',
        experiment_name=uuid.uuid4().hex,
    )
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.train_loop._iter = 200
    return runner


def lines(runner):
    title, *others = summarize(runner).splitlines()
    return {'': title, **{line[:14].strip(): line[15:] for line in others}}


def test_block(runner):
    device = next(runner.model.parameters()).device
    block = lines(runner)
    found = block.pop('device'), block.pop('work_dir')
    assert found[0].startswith(f'{device} (')
    assert found[0].endswith('), judge float16, painter float32')
    (log,) = Path(runner.work_dir).glob('*/*.log')
    assert found[1].startswith(f'{runner.work_dir}; ')
    assert found[1].endswith(f' {log.relative_to(runner.work_dir)}')
    assert block == {
        '': 'Training pair_zoo',
        'data': 'InMemoryImageDataset, 9 images of 3x4x4',
        'classes': '3 (cat: 6, dog: 3, emu: 0)',
        'networks': 'judge 49, painter 21 parameters',
        'batch': '2 images',
        'length': '1,200 iterations, of which 200 are done',
        'validation': 'none',
        'checkpoints': 'every 500 iterations and at the end; the newest 3 are kept',
    }


def test_another_model_over_epochs(make_runner, fake_gan):
    """12 images in batches of 4, and hooks that draw and save."""
    runner = make_runner(
        fake_gan(),
        [dict(type='SampleVisualizationHook', interval=2, by_epoch=True)],
        train_cfg=dict(by_epoch=True, max_epochs=5, val_interval=2),
        val_cfg=dict(),
        val_dataloader=dict(
            dataset=[0], batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False)
        ),
        val_evaluator=dict(
            type='GANEvaluator',
            extractor=dict(type='MNISTClassifier'),
            metrics=[dict(type='FrechetDistance'), dict(type='InceptionScore')],
        ),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook', interval=-1, save_last=False, save_best='IS', rule='greater'
            )
        ),
    )
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner._val_loop = runner.build_val_loop(runner._val_loop)
    block = lines(runner)
    assert block[''] == 'Training'
    assert block['data'] == 'FakeDataset, 12 images'
    assert 'classes' not in block
    assert block['networks'] == 'FakeGAN 1 parameters'
    assert block['device'].endswith('), float32')
    assert block['length'] == '5 epochs, 15 iterations'
    assert block['validation'] == 'every 2 epochs: FID, IS, IS_std'
    assert block['checkpoints'] == 'none; the best by IS'
    assert block['samples'] == 'every 2 epochs, in samples/'


def test_stream_and_many_classes(runner):
    class Stream(IterableDataset):
        def __iter__(self):
            yield from range(3)

    runner.train_loop.dataloader = DataLoader(Stream(), batch_size=None)
    block = lines(runner)
    assert block['data'] == 'Stream, a stream of images'
    assert block['batch'] == 'as the batch sampler gives'
    images = torch.zeros(1014, 1, 2, 2, dtype=torch.uint8)
    many = InMemoryImageDataset(images, labels=[*range(14), *[1] * 1000])
    runner.train_loop.dataloader = DataLoader(many, batch_size=2)
    expected = ', '.join(f'{number}: {1 if number != 1 else "1,001"}' for number in range(12))
    assert lines(runner)['classes'] == f'14 ({expected}, ...)'


def test_pairs(runner):
    runner.train_loop.dataloader = DataLoader(EdgesToDigitsDataset(8, indices=5), 2)
    assert lines(runner)['data'] == 'EdgesToDigitsDataset, 5 images of 1x8x8 and 1x8x8'
