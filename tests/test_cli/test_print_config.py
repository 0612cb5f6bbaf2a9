"""A config as the Runner gets it."""


def test_print_config(tool):
    config = tool.configs / 'gan_mlp_mnist-28x28.py'
    out = tool('print_config', config, '--cfg-options', 'model.generator.latent_dim=64').stdout
    assert 'latent_dim=64' in out
    assert "type='MNISTDataset'" in out
    assert '_base_' not in out
