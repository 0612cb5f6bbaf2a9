"""Configs and registered parts by name."""

from pathlib import Path

import pytest
from mmengine.config import Config

import mmgan_lite
from mmgan_lite import catalog


@pytest.mark.parametrize(
    'name', ['gan/gan_mlp_digits-28x28.py', 'gan_mlp_digits-28x28', 'gan_mlp_digits-28x28.py']
)
def test_config_path(name, repo):
    expected = repo / 'configs' / 'gan' / 'gan_mlp_digits-28x28.py'
    assert Path(mmgan_lite.config_path(name)).samefile(expected)


@pytest.mark.parametrize(
    'name', ['gan_mlp_digit', 'gan/gan_mlp_digit.py', 'dcgan/gan_mlp_digits.py']
)
def test_unknown_config_is_answered_with_the_closest(name):
    message = rf"name must be that of a config of mmgan_lite, got '{name}'. Did you mean 'gan_mlp_d"
    with pytest.raises(ValueError, match=message):
        mmgan_lite.config_path(name)


def test_base_config_from_a_file_anywhere(tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = __import__('mmgan_lite').config_path('gan/gan_mlp_digits-28x28.py')\n"
        'model = dict(generator=dict(latent_dim=7))\n'
    )
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.model.generator.latent_dim == 7
    assert cfg.model.generator.type == 'MLPGenerator'


def test_base_file(tmp_path):
    (tmp_path / 'mine.py').write_text(
        "_base_ = __import__('mmgan_lite').config_path('_base_/datasets/digits_28x28.py')\n"
    )
    assert Config.fromfile(tmp_path / 'mine.py').train_dataloader.dataset.type == 'DigitsDataset'


def test_get_config():
    assert mmgan_lite.get_config('gan_mlp_mnist-28x28').train_cfg.max_iters == 34375


def test_list_configs():
    assert mmgan_lite.list_configs('*mlp_digits*') == [
        'gan_mlp_digits-28x28',
        'gan_mlp_digits-28x28_conditional',
    ]
    assert mmgan_lite.list_configs('no*') == []


def test_list_components():
    losses = {loss.name: loss for loss in mmgan_lite.list_components('losses')}
    loss = losses['NonSaturatingGANLoss']
    assert loss.kind == 'losses'
    assert loss.summary.startswith('Binary cross-entropy on logits')
    generators = {c.name: c.signature for c in mmgan_lite.list_components('generators')}
    assert 'latent_dim: int = 100' in generators['MLPGenerator']
    kinds = {component.kind for component in mmgan_lite.list_components()}
    assert {'datasets', 'generators', 'discriminators', 'hooks', 'losses', 'optimizers'} <= kinds


def test_older_names_of_kinds():
    names = [component.name for component in mmgan_lite.list_components('augmentations')]
    assert names == ['AdaptiveAugment', 'DiffAugment']
    assert mmgan_lite.list_components('apis') == mmgan_lite.list_components('inference')


def test_unknown_kind():
    with pytest.raises(ValueError, match=r"kind must be one of .*losses.*, got 'loss'"):
        mmgan_lite.list_components('loss')


def test_explain():
    from mmgan_lite.catalog import explain

    assert 'MLPGenerator(latent_dim: int = 100' in explain('MLPGenerator')
    assert "type='DigitsDataset'" in explain('gan_mlp_digits-28x28')
    with pytest.raises(ValueError, match=r"got 'MLPGenerater'. Did you mean 'MLPGenerator'\?"):
        explain('MLPGenerater')


def test_get_model():
    assert mmgan_lite.get_model('gan_mlp_digits-28x28').image_shape == (1, 28, 28)


def test_unknown_attribute():
    with pytest.raises(AttributeError, match='no attribute'):
        _ = mmgan_lite.get_modell


def test_data_root_of_all_datasets():
    cfg = mmgan_lite.get_config('r3gan_stacked-mnist-28x28_cpu', data_root='/data')
    datasets = [cfg[f'{loop}_dataloader'].dataset for loop in ('train', 'val', 'test')]
    datasets += [cfg[f'{loop}_evaluator'].train_dataset for loop in ('val', 'test')]
    assert [dataset.data_root for dataset in datasets] == ['/data'] * 5
    with pytest.raises(ValueError, match='data_root needs a dataset with a data_root'):
        mmgan_lite.get_config('gan_mlp_digits-28x28', data_root='/data')


def test_data_root_of_wrapped_datasets():
    inner = dict(type='MNISTDataset', data_root='data')
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='Concat', datasets=[inner]))))
    catalog.set_data_root(cfg, '/data')
    assert cfg.train_dataloader.dataset.datasets[0].data_root == '/data'
