"""Checkpoints that would write a file when they are unpickled run nothing, in any tool."""

import pickle
import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import CheckpointLoader, Runner

import mmgan_lite
from mmgan_lite.checkpoints import read_checkpoint
from mmgan_lite.cli import benchmark, sample, test, train
from mmgan_lite.evaluation import ModuleExtractor, torch_fidelity_adapter
from mmgan_lite.evaluation.cache import FeatureCache
from mmgan_lite.evaluation.extractors import InceptionV3, MNISTClassifier

PLACES = ('state_dict', 'meta', 'message_hub', 'optimizer')


class Bomb:
    """Makes a file when it is unpickled without care."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


@pytest.fixture
def ran(tmp_path):
    """The file that must never be there; it would be, were the bomb none."""
    path = tmp_path / 'ran'
    pickle.loads(pickle.dumps(Bomb(path))).close()
    assert path.exists()
    path.unlink()
    yield path
    assert not path.exists()


@pytest.fixture(autouse=True)
def mmengine_loader(monkeypatch):
    schemes, loggers = CheckpointLoader._schemes, MMLogger._instance_dict.copy()
    # Whoever sets it, for whatever reason, does not make us careless.
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    yield
    CheckpointLoader._schemes = schemes
    # That of the benchmark writes to a folder that is gone.
    MMLogger._instance_dict = loggers


def write(folder, ran, place='meta', form='zip'):
    """A checkpoint with a bomb in one place, and all else that one has."""
    path = folder / f'{place}_{form}.pth'
    content = dict(state_dict={}, meta=dict(iter=1), message_hub={}, optimizer={})
    content[place] = {'weight': Bomb(ran)}
    if form == 'pickle':
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == 'zip')
    return path


@pytest.fixture
def config(tmp_path):
    """A small config, as a file for the commands."""
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
    cfg.train_cfg.max_iters = 2
    for network in (cfg.model.generator, cfg.model.discriminator):
        network.update(hidden_dims=(8, 8))
    data = cfg.train_dataloader.dataset
    loader = dict(batch_size=8, dataset=data, sampler=dict(type='DefaultSampler', shuffle=False))
    cfg.update(
        work_dir=str(tmp_path / 'work'),
        test_cfg={},
        test_dataloader=loader,
        test_evaluator=dict(
            type='GANEvaluator',
            extractor=dict(type='MNISTClassifier'),
            metrics=[dict(type='FrechetDistance')],
        ),
    )
    path = tmp_path / 'config.py'
    cfg.dump(path)
    return path


def call(monkeypatch, module, *arguments):
    monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *map(str, arguments)])
    module.main()


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('form', ['zip', 'legacy', 'pickle'])
@pytest.mark.parametrize('allow_mmengine_types', [False, True])
def test_reading(place, form, allow_mmengine_types, tmp_path, ran):
    with pytest.raises(ValueError, match=f'{place}_{form}.pth.*could run code'):
        read_checkpoint(write(tmp_path, ran, place, form), allow_mmengine_types)


def test_a_model(config, tmp_path, ran):
    with pytest.raises(ValueError, match='which could run code'):
        mmgan_lite.get_model(str(config), write(tmp_path, ran))


@pytest.mark.parametrize('form', ['zip', 'legacy'])
def test_training(form, config, tmp_path, ran, monkeypatch):
    path = write(tmp_path, ran, 'optimizer', form)
    for arguments in (
        ('--resume', path),
        ('--resume', path, '--allow-mmengine-types'),
        ('--cfg-options', f'load_from={path}'),
    ):
        with pytest.raises((ValueError, SystemExit), match='io.open, which could run code'):
            call(monkeypatch, train, config, *arguments)


def test_training_that_finds_its_checkpoint(config, tmp_path, ran, monkeypatch):
    work = tmp_path / 'work'
    work.mkdir()
    (work / 'last_checkpoint').write_text(str(write(work, ran)))
    with pytest.raises((ValueError, SystemExit), match='io.open, which could run code'):
        call(monkeypatch, train, config, '--resume')


def test_pretrained_parts(config, tmp_path, ran, monkeypatch):
    cfg = Config.fromfile(config)
    cfg.model.init_cfg = dict(type='Pretrained', checkpoint=str(write(tmp_path, ran)))
    cfg.dump(config)
    with pytest.raises((ValueError, SystemExit), match='io.open, which could run code'):
        call(monkeypatch, train, config)


def test_a_runner_without_our_commands(config, tmp_path, ran):
    cfg = Config.fromfile(config)
    cfg.load_from = str(write(tmp_path, ran))
    cfg.experiment_name = 'malicious'
    with pytest.raises(ValueError, match='io.open, which could run code'):
        Runner.from_cfg(cfg).train()


def test_testing_and_sampling(config, tmp_path, ran, monkeypatch, capsys):
    path = write(tmp_path, ran, 'state_dict')
    with pytest.raises(SystemExit):
        call(monkeypatch, test, config, path)
    assert 'io.open, which could run code' in capsys.readouterr().err
    with pytest.raises((ValueError, SystemExit), match='io.open, which could run code'):
        call(monkeypatch, sample, config, path, '--num', 2, '--out', tmp_path / 'out')


def test_benchmarking_loads_nothing(config, tmp_path, ran, monkeypatch):
    options = ('--cfg-options', f'load_from={write(tmp_path, ran)}', 'resume=True')
    call(monkeypatch, benchmark, config, '--runner-only', '--iters', 1, '--blocks', 1, *options)


def test_weights_of_extractors(tmp_path, ran, monkeypatch):
    path = write(tmp_path, ran)
    with pytest.raises(ValueError, match='must hold the weights of DigitNetwork'):
        MNISTClassifier(path)
    with pytest.raises(ValueError, match="weights must be torch-fidelity's file"):
        InceptionV3(path)
    # Eight digits of a checksum can be had: then too nothing runs.
    monkeypatch.setattr(torch_fidelity_adapter, 'INCEPTION_SHA256', '')
    with pytest.raises(ValueError, match='io.open, which could run code'):
        InceptionV3(path)


def test_a_cache_of_features(tmp_path, ran):
    extractor = ModuleExtractor(torch.nn.Flatten(), 'pixels')
    path = FeatureCache(tmp_path, 'data', (1, 2, 2), extractor).path
    path.write_bytes(write(tmp_path, ran).read_bytes())
    assert FeatureCache(tmp_path, 'data', (1, 2, 2), extractor)._rows == {}
