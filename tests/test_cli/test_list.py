"""Listing configs and parts."""


def test_configs(command):
    assert 'gan_mlp_digits-28x28\n' in command('list').stdout
    assert command('list', '--pattern', '*mnist-28x28').stdout == 'gan_mlp_mnist-28x28\n'


def test_parts(command):
    assert command('list', 'losses').stdout.startswith('NonSaturatingGANLoss  losses: Binary')


def test_unknown_kind(command):
    assert 'error: kind must be one of' in command('list', 'los').stderr
