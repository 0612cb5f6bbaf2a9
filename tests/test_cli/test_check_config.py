"""Mistakes in configs, from the command line."""

import sys

import pytest

from mmgan_lite.cli import check_config, train


@pytest.fixture
def call(monkeypatch, capsys):
    """Run a command in this process; returns its exit code, or its last words, and its output."""

    def run(module, *arguments):
        monkeypatch.setattr(sys, 'argv', ['mmgan-lite', *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            module.main()
        return end.value.code, capsys.readouterr().out

    return run


def test_right_ones(call, repo):
    path = repo / 'configs' / 'gan' / 'gan_mlp_mnist-28x28.py'
    code, out = call(check_config, path, 'gan_mlp_digits-28x28')
    assert code == 0
    assert out.splitlines() == [f'{path}: ok', 'gan_mlp_digits-28x28: ok']


def test_wrong_ones(call, tmp_path):
    (tmp_path / 'a.py').write_text('model = dict(type=')
    (tmp_path / 'b.py').write_text("default_scope = 'mmgan_lite'\nmodel = dict(type='GAM')\n")
    code, out = call(check_config, tmp_path / 'a.py', tmp_path / 'b.py')
    assert code == 1
    assert 'a.py: 1 error(s)\n  cannot be read: SyntaxError' in out
    assert "model.type: 'GAM' is not registered as a model" in out


def test_overrides(call):
    code, out = call(
        check_config, 'gan_mlp_digits-28x28', '--cfg-options', 'model.generator.latent_dim=0.5'
    )
    assert code == 1
    assert 'model.generator.latent_dim: must be int, got 0.5.' in out


def test_hooks_that_are_parts_of_others_now_are_accepted_with_a_note(call):
    options = ['default_hooks.non_finite_guard.max_skips=3', 'default_hooks.health.guard=None']
    code, out = call(check_config, 'gan_mlp_digits-28x28', '--cfg-options', *options)
    assert code == 0
    line, note = out.splitlines()
    assert line.endswith(': ok')
    assert note.startswith(
        '  note: default_hooks.non_finite_guard: NonFiniteGuardHook is in health'
    )


def test_training_checks_first(call, tmp_path):
    options = ['model.generator.laten_dim=3', 'train_cfg.max_itres=2', 'batch_size=64']
    work_dir = tmp_path / 'work'
    text, _ = call(train, 'gan_mlp_digits-28x28', '--work-dir', work_dir, '--cfg-options', *options)
    assert text.startswith('The config has 3 errors:\n')
    for near in ('latent_dim', 'max_iters'):
        assert f"Did you mean '{near}'?" in text
    assert 'batch_size: is read by nothing' in text
    assert not work_dir.exists()


def test_override_without_a_value(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', ['check-config', 'c.py', '--cfg-options', 'nope'])
    with pytest.raises(SystemExit):
        check_config.main()
    assert "argument --cfg-options: must be KEY=VALUE, got 'nope'" in capsys.readouterr().err
