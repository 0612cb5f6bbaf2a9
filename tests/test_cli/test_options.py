"""What the commands share."""


def test_config_by_name(command):
    assert "type='DigitsDataset'" in command('print-config', 'gan_mlp_digits-28x28').stdout


def test_unknown_config(command):
    result = command('print-config', 'gan_mlp_digit')
    assert 'The nearest are: gan_mlp_digits-28x28' in result.stderr
