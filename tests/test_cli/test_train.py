"""Training from the command line."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch

from mmgan_lite.cli import train


def test_train_writes_where_the_config_says(trained):
    assert (trained / 'iter_2.pth').is_file()
    assert (trained / 'samples' / 'training.gif').is_file()
    dump = (trained / 'gan_mlp_digits-28x28_conditional.py').read_text()
    assert 'randomness = dict(seed=7)' in dump


def test_resume_finds_the_newest_checkpoint(tool, trained):
    options = ('train_cfg.max_iters=3', 'model.generator.hidden_dims=(16,16)')
    config = tool.configs / 'gan_mlp_digits-28x28_conditional.py'
    tool('train', config, '--resume', '--cfg-options', *options)
    assert torch.load(trained / 'iter_3.pth')['meta']['iter'] == 3
    # From a file that is named, into another directory.
    other = tool.cwd / 'other'
    arguments = ('--resume', trained / 'iter_2.pth', '--work-dir', other)
    tool('train', config, *arguments, '--cfg-options', *options)
    assert torch.load(other / 'iter_3.pth')['meta']['iter'] == 3


def test_a_runner_of_ones_own(tool, tmp_path, monkeypatch):
    monkeypatch.setenv('PYTHONPATH', str(tmp_path), prepend=os.pathsep)
    (tmp_path / 'runner_of_a_user.py').write_text(
        'from mmengine.registry import RUNNERS\n'
        'from mmengine.runner import Runner\n\n\n'
        '@RUNNERS.register_module()\n'
        'class UsersRunner(Runner):\n'
        '    def train(self):\n'
        "        print('trained by', type(self).__name__)\n"
    )
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(tool.configs / "gan_mlp_digits-28x28.py")!r}\n'
        "custom_imports = dict(imports=['runner_of_a_user'])\nrunner_type = 'UsersRunner'\n"
    )
    result = tool('train', config)
    assert 'trained by UsersRunner' in result.stdout


def test_scheduler_that_lacks_a_network(tool, tmp_path):
    base = tool.configs / 'gan_mlp_digits-28x28.py'
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(base)!r}\nparam_scheduler = dict(_delete_=True, generator=[])\n'
    )
    result = tool('train', config, check=False)
    assert result.returncode != 0
    assert "param_scheduler has no entry for 'discriminator'" in result.stderr


def test_curve_or_none(tool, tmp_path):
    """Metrics while training as the config has them, and with an option none."""
    config = tool.configs / 'gan_mlp_digits-28x28.py'
    options = ('--cfg-options', 'train_cfg.max_iters=1', 'model.generator.hidden_dims=(16,16)')
    result = tool('train', config, '--work-dir', tmp_path / 'with', *options)
    assert 'Training gan_mlp_digits-28x28\n  data         DigitsDataset, 1,797' in result.stdout
    assert 'System environment' not in result.stdout
    (scalars,) = (tmp_path / 'with').glob('*/vis_data/scalars.json')
    assert 'FID[mnist-classifier]' in scalars.read_text()
    tool('train', config, '--work-dir', tmp_path / 'without', '--no-validate', *options)
    (log,) = (tmp_path / 'without').glob('*/*.log')
    assert 'FID' not in log.read_text()


def test_other_data_than_the_evaluation_is_for(tool, tmp_path):
    """The evaluation of the config would compare digits with them."""
    config = tmp_path / 'config.py'
    config.write_text(
        f'_base_ = {str(tool.configs / "gan_mlp_digits-28x28.py")!r}\n'
        "train_dataloader = dict(dataset=dict(metainfo=dict(classes=('a', 'b'))))\n"
    )
    result = tool('train', config, '--work-dir', tmp_path, check=False)
    assert 'val_dataloader must give the classes that the model is trained on' in result.stderr
    assert '--no-validate' in result.stderr


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (
            ('--work-dir', 'file/below'),
            "error: --work-dir must be a writable path, got 'file/below'",
        ),
        (('--resume', 'no.pth'), "error: --resume must be a checkpoint, but 'no.pth' is no file"),
        (('--resume-lr', 'config'), 'error: --resume-lr config needs --resume. Add it.'),
        (
            (
                *('--resume', '--resume-lr', 'config'),
                *('--cfg-options', 'default_hooks.checkpoint.type=CheckpointHook'),
            ),
            'error: --resume-lr needs GANCheckpointHook as default_hooks.checkpoint, got Checkp',
        ),
    ],
)
def test_nothing_is_written_after_an_error(arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    monkeypatch.setattr(sys, 'argv', ['train', 'gan_mlp_digits-28x28', *arguments])
    with pytest.raises(SystemExit) as error:
        train.main()
    assert str(error.value).startswith(told)
    assert list(tmp_path.iterdir()) == [tmp_path / 'file']


@pytest.mark.parametrize('value', ['checkpoint', 'config'])
def test_where_rates_come_from(value, tmp_path, monkeypatch):
    built = []

    def build(cfg):
        built.append(cfg)
        return SimpleNamespace(train=lambda: None)

    monkeypatch.setattr(train, 'RUNNERS', SimpleNamespace(build=build))
    arguments = ['--work-dir', str(tmp_path), '--resume', '--resume-lr', value]
    monkeypatch.setattr(sys, 'argv', ['train', 'gan_mlp_digits-28x28', *arguments])
    train.main()
    assert built[0].default_hooks.checkpoint.resume_lr == value
