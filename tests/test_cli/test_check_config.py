"""Mistakes in configs, from the command line."""


def test_right_ones(tool):
    result = tool('check_config', tool.configs / 'gan_mlp_mnist-28x28.py', 'gan_mlp_digits-28x28')
    assert result.stdout.splitlines() == [
        f'{tool.configs / "gan_mlp_mnist-28x28.py"}: ok',
        'gan_mlp_digits-28x28: ok',
    ]


def test_wrong_ones(tool, tmp_path):
    (tmp_path / 'a.py').write_text('model = dict(type=')
    (tmp_path / 'b.py').write_text("default_scope = 'mmgan_lite'\nmodel = dict(type='GAM')\n")
    result = tool('check_config', tmp_path / 'a.py', tmp_path / 'b.py', check=False)
    assert result.returncode == 1
    assert 'a.py: 1 mistake(s)\n  cannot be read: SyntaxError' in result.stdout
    assert "model.type: 'GAM' is not registered as a model" in result.stdout


def test_training_checks_first(tool):
    options = ['model.generator.laten_dim=3', 'train_cfg.max_itres=2', 'batch_size=64']
    result = tool('train', 'gan_mlp_digits-28x28', '--cfg-options', *options, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-4] == 'The config has 3 mistakes:'
    for near in ('latent_dim', 'max_iters'):
        assert f"Did you mean '{near}'?" in result.stderr
    assert 'batch_size: is read by nobody' in result.stderr
