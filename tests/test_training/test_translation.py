"""Models that translate train by a config under the default runtime, and are resumed bit by bit."""

import copy
import json
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.runner import Runner
from PIL import Image

import mmgan_lite
from mmgan_lite.cli import test as test_command
from mmgan_lite.config_validation import check_config

ITERATIONS, CUT = 6, 4
RESNET = dict(type='ResNetTranslator', base_channels=2, num_blocks=1)
PATCHES = dict(type='PatchDiscriminator', base_channels=2, num_layers=1)
MODELS = dict(
    pix2pix=dict(
        type='Pix2Pix',
        generator=dict(type='UNetTranslator', base_channels=2, levels=3),
        discriminator=dict(PATCHES, in_channels=6),
        loss=dict(type='NonSaturatingGANLoss'),
        regularizers=[dict(type='R1Regularizer', interval=2)],
        augmentation=dict(type='AdaptiveAugment', interval=1),
        ema=dict(type='ExponentialMovingAverage', momentum=0.1),
    ),
    cyclegan=dict(  # with pools that are full before the cut
        type='CycleGAN',
        generator=RESNET,
        discriminator=PATCHES,
        loss=dict(type='LeastSquaresGANLoss'),
        pool_size=3,
    ),
    cut=dict(
        type='CUT',
        generator=RESNET,
        discriminator=PATCHES,
        loss=dict(type='LeastSquaresGANLoss'),
        layers=(0, 4),
        num_patches=16,
        flip_equivariance=True,
    ),
)


@DATASETS.register_module()
class TwoColors(torch.utils.data.Dataset):
    """Images of noise, and their negatives."""

    def __len__(self):
        return 16

    def __getitem__(self, index):
        stream = torch.Generator().manual_seed(index)
        source = torch.randint(256, (3, 16, 16), generator=stream, dtype=torch.uint8)
        return dict(source=source, target=255 - source)


@MMENGINE_MODELS.register_module()
class Pixels(torch.nn.Module):
    """Features are four means of areas."""

    def forward(self, images):
        return torch.nn.functional.adaptive_avg_pool2d(images, 2).mean(1).flatten(1)


class Interruption(Hook):
    priority = 'LOWEST'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == CUT:
            raise KeyboardInterrupt


@pytest.fixture
def make_config(tmp_path):
    def make(name, run):
        adam = dict(optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999)))
        cfg = Config.fromfile(mmgan_lite.config_path('_base_/default_runtime.py'))
        cfg.merge_from_dict(
            dict(
                model=MODELS[name],
                train_dataloader=dict(
                    batch_size=2,
                    dataset=dict(type='mmengine.TwoColors'),
                    sampler=dict(type='InfiniteSampler', shuffle=True),
                    collate_fn=dict(type='default_collate'),
                ),
                train_cfg=dict(by_epoch=False, max_iters=ITERATIONS),
                optim_wrapper=dict(
                    constructor='MultiOptimWrapperConstructor', generator=adam, discriminator=adam
                ),
                work_dir=str(tmp_path / run),
                experiment_name=f'{name}_{run}',
                resume=True,
            )
        )
        cfg.default_hooks.checkpoint.interval = 1
        return cfg

    return make


def weights(work_dir):
    return torch.load(work_dir / f'iter_{ITERATIONS}.pth', weights_only=True)['state_dict']


@pytest.mark.parametrize('name', MODELS)
def test_trains_and_goes_on(name, make_config, tmp_path):
    assert [str(finding) for finding in check_config(make_config(name, 'checked'))] == []
    Runner.from_cfg(make_config(name, 'complete')).train()
    cut = Runner.from_cfg(make_config(name, 'cut'))
    cut.register_hook(Interruption())
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    Runner.from_cfg(make_config(name, 'cut')).train()
    complete, resumed = (weights(tmp_path / run) for run in ('complete', 'cut'))
    start = Runner.from_cfg(make_config(name, 'start')).model.state_dict()
    assert complete.keys() == resumed.keys() == start.keys()
    for key, value in complete.items():
        assert torch.equal(value, resumed[key]), key
    kept = {'augmentation'}  # its probability stays 0 at first
    trained = {key.partition('.')[0] for key in start if not torch.equal(start[key], complete[key])}
    assert {key.partition('.')[0] for key in start} - trained <= kept


@pytest.mark.parametrize('kind', ['PairedImageDataset', 'UnpairedImageDataset'])
def test_random_targets_crops_and_flips_of_workers_go_on(kind, make_config, tmp_path):
    stream = np.random.default_rng(0)
    for number in range(10):
        path = tmp_path / 'ab'[number % 2] / f'{number // 2}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(stream.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)

    def build(run):
        cfg = make_config('cyclegan', run)
        cfg.train_dataloader = dict(
            batch_size=2,
            num_workers=2,
            sampler=dict(type='InfiniteSampler', shuffle=True),
            dataset=dict(
                type=kind,
                data_root=str(tmp_path),
                source='a',
                target='b',
                image_size=16,
                load_size=18,
                flip=True,
            ),
        )
        cfg.randomness = dict(seed=3)
        return Runner.from_cfg(cfg)

    build('complete').train()
    cut = build('cut')
    cut.register_hook(Interruption())
    with pytest.raises(KeyboardInterrupt):
        cut.train()
    build('cut').train()
    resumed = weights(tmp_path / 'cut')
    for key, value in weights(tmp_path / 'complete').items():
        assert torch.equal(value, resumed[key]), key


def test_is_validated_drawn_and_tested(make_config, tmp_path, monkeypatch):
    cfg = make_config('pix2pix', 'run')
    evaluator = dict(
        type='GANEvaluator',
        extractor=dict(type='ModuleExtractor', name='pixels', module=dict(type='mmengine.Pixels')),
        metrics=[dict(type='PairedImageMetric'), dict(type='FrechetDistance')],
        cache_dir=str(tmp_path / 'cache'),
    )
    loader = dict(cfg.train_dataloader, sampler=dict(type='DefaultSampler', shuffle=False))
    for loop in ('val', 'test'):
        cfg.merge_from_dict({f'{loop}_dataloader': loader, f'{loop}_evaluator': evaluator})
    cfg.merge_from_dict(dict(val_cfg={}, test_cfg={}, train_cfg=dict(val_interval=3)))
    cfg.default_hooks.checkpoint.save_best = 'L1'
    cfg.default_hooks.checkpoint.rule = 'less'
    assert [str(finding) for finding in check_config(cfg)] == []
    alone = copy.deepcopy(cfg)
    alone.val_evaluator = alone.test_evaluator = dict(type='PairedImageMetric')
    assert [str(finding) for finding in check_config(alone)] == []
    Runner.from_cfg(cfg).train()
    work_dir = tmp_path / 'run'
    assert sorted(path.name for path in (work_dir / 'samples').iterdir()) == [
        'samples_iter-00000000.png',
        f'samples_iter-{ITERATIONS:08d}.png',
        'training.gif',
    ]
    (file,) = work_dir.glob('*/evaluations.jsonl')
    evaluations = [json.loads(line) for line in file.read_text().splitlines()]
    assert [evaluation['iteration'] for evaluation in evaluations] == [3, 6]
    protocol = evaluations[-1]['protocol']
    assert {k: protocol[k] for k in ('num_pairs', 'num_fakes', 'direction', 'weights')} == dict(
        num_pairs=16, num_fakes=16, direction='a2b', weights='EMA'
    )
    scores = {name: score['value'] for name, score in evaluations[-1]['scores'].items()}
    # Of a negative the mean distance is that of |2 x - 255|, by hand over the dataset.
    images = torch.stack([TwoColors()[index]['source'] for index in range(16)]).double()
    expected = (2 * images - 255).abs().mean() / 255
    assert scores['source_L1'] == pytest.approx(expected.item(), rel=1e-6)
    assert {'L1', 'PSNR', 'SSIM', 'nearest_target', 'FID[pixels]'} < {*scores}
    cfg.dump(config := tmp_path / 'config.py')
    out = tmp_path / 'scores.json'
    command = ['test', str(config), str(work_dir / f'iter_{ITERATIONS}.pth'), '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', command)
    test_command.main()
    tested = json.loads(out.read_text())
    assert tested['protocol'] == protocol
    assert {name: score['value'] for name, score in tested['scores'].items()} == scores
