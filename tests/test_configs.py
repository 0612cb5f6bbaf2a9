"""Every config of the repo is complete, has no dead key, and trains."""

import math
import re
from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

from mmgan_lite.config_validation import check_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
PATHS = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.relative_to(CONFIGS).parts
)


def name(path):
    return path.stem


def translates(cfg):
    return 'Translator' in cfg.model.generator.type


def test_there_are_configs():
    assert {path.stem for path in PATHS} >= {
        'gan_mlp_mnist-28x28',
        'gan_mlp_mnist-28x28_conditional',
        'gan_mlp_digits-28x28',
        'gan_mlp_digits-28x28_conditional',
    }


def test_basenames_are_unique():
    counts = Counter(path.name for path in PATHS)
    assert [file for file, count in counts.items() if count > 1] == []


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_name_tells_algorithm_networks_and_data(path):
    pattern = rf'{path.parent.name}(_[a-z0-9]+)?_[a-z0-9-]+-\d+x\d+(_[a-z0-9-]+)*'
    assert re.fullmatch(pattern, path.stem)


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_has_no_mistake(path):
    assert check_config(Config.fromfile(path)) == []


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_trains_and_is_rebuilt_from_its_dump(path, shrunk_config):
    cfg = shrunk_config(path)
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 2
    if 'val_evaluator' in cfg:  # the curve has a point at the end
        first = ('val/FID', 'val/L1')
        curves = [key for key in runner.message_hub.log_scalars if key.startswith(first)]
        assert curves
        assert all(runner.message_hub.get_scalar(key).data[0].shape == (1,) for key in curves)
    work_dir = Path(cfg.work_dir)
    assert (work_dir / 'iter_2.pth').is_file()
    real = [] if translates(cfg) else ['real.png']
    assert sorted(file.name for file in (work_dir / 'samples').iterdir()) == [
        *real,
        'samples_iter-00000000.png',
        'samples_iter-00000002.png',
        'training.gif',
    ]

    dump = Config.fromfile(work_dir / path.name)
    dump.experiment_name += '_again'
    again = Runner.from_cfg(dump)
    assert repr(again.model) == repr(runner.model)
    again.train()
    assert again.iter == 2
    if 'test_evaluator' in cfg:
        scores = again.test()
        assert all(math.isfinite(score) for score in scores.values())
        conditional = cfg.model.generator.get('num_classes') is not None and 'mnist' in path.stem
        assert any(name.startswith('accuracy') for name in scores) >= conditional


@pytest.mark.parametrize('path', PATHS, ids=name)
def test_evaluates_what_it_trains_on(path):
    cfg = Config.fromfile(path)
    if 'folder' in path.stem:  # images of the user's, which no network of ours knows
        assert 'val_cfg' not in cfg
        return
    for loop in ('val', 'test'):
        dataset = cfg[f'{loop}_dataloader'].dataset
        if not translates(cfg):  # a model of unpaired images may be compared on pairs
            assert dataset.type == cfg.train_dataloader.dataset.type
        evaluator = cfg[f'{loop}_evaluator']
        trained_on = evaluator.get('train_dataset', cfg.train_dataloader.dataset)
        assert trained_on.type == cfg.train_dataloader.dataset.type
        assert trained_on.get('split', 'train') == 'train'
    # Points of a curve, the last of them at the end.
    assert 2 <= cfg.train_cfg.max_iters / cfg.train_cfg.val_interval <= 10
