"""Explaining one part."""


def test_part(command):
    assert 'latent_dim: int = 100' in command('info', 'MLPGenerator').stdout


def test_unknown_name(command):
    assert 'error: name must be that of a part' in command('info', 'MLPGen').stderr
