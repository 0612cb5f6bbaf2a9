"""Loaders, by hand from the old configs."""

from mmgan_lite.config_migration import migrate_config


def test_grayscale_folder(old):
    loader = migrate_config(old('dcgan')).config['train_dataloader']
    assert loader['batch_size'] == 128
    assert loader['dataset']['data_root'] == 'data/mnist_64'
    assert (loader['dataset']['image_size'], loader['dataset']['channels']) == (64, 1)


def test_repeated_cifar(old):
    dataset = migrate_config(old('sngan')).config['train_dataloader']['dataset']
    assert (dataset['type'], dataset['data_root']) == ('CIFAR10Dataset', 'data')


def test_pairs(old):
    config = migrate_config(old('pix2pix')).config
    dataset = config['train_dataloader']['dataset']
    assert (dataset['type'], dataset['direction']) == ('PairedImageDataset', 'b2a')
    assert (dataset['load_size'], dataset['image_size'], dataset['flip']) == (286, 256, True)
    assert config['val_dataloader']['dataset']['data_root'] == 'data/pix2pix/facades/test'
