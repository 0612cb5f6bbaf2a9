"""Listing configs and parts."""

import re


def test_configs(command):
    assert 'gan_mlp_digits-28x28\n' in command('list').stdout
    assert command('list', '--pattern', 'gan_*mnist-28x28').stdout == 'gan_mlp_mnist-28x28\n'


def test_parts(command):
    assert re.search(
        r'^NonSaturatingGANLoss +losses: Binary', command('list', 'losses').stdout, re.M
    )


def test_unknown_kind(command):
    assert 'error: kind must be one of' in command('list', 'los').stderr
