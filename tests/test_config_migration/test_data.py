import pytest

from mmgan_lite.config_migration import migrate_config


def train_of(migration):
    return migration.config['train_dataloader']


def test_folder_in_gray(old):
    loader = train_of(migrate_config(old('dcgan')))
    assert (loader['batch_size'], loader['num_workers']) == (128, 4)
    assert loader['dataset'] == dict(
        type='ImageFolderDataset',
        data_root='data/mnist_64',
        image_size=64,
        labels=False,
        channels=1,
    )


def test_flips_are_of_the_training_alone(old):
    config = migrate_config(old('sngan')).config
    flips = [dict(type='RandomCropFlip', flip=True), dict(type='PackImage')]
    dataset = config['train_dataloader']['dataset']
    expected = dict(type='CIFAR10Dataset', data_root='data', split='train')
    assert dataset == dict(expected, pipeline=flips)
    assert config['val_dataloader']['dataset'] == expected


def test_direction_of_pairs_follows_the_domains(old):
    config = migrate_config(old('pix2pix')).config
    dataset = config['train_dataloader']['dataset']
    assert dataset == dict(
        type='PairedImageDataset',
        data_root='data/pix2pix/facades/train',
        image_size=256,
        load_size=286,
        flip=True,
        direction='b2a',
    )
    assert config['val_dataloader']['dataset'] == dict(
        type='PairedImageDataset',
        data_root='data/pix2pix/facades/test',
        image_size=256,
        direction='b2a',
    )
    other = old('pix2pix', **{'domain_a = target_domain': "domain_a = 'mask'"})
    other = migrate_config(other).config['train_dataloader']['dataset']
    assert other['direction'] == 'a2b'


def test_folders_without_pairs(old):
    dataset = train_of(migrate_config(old('cyclegan')))['dataset']
    assert dataset == dict(
        type='UnpairedImageDataset',
        data_root='./data/horse2zebra',
        source='trainA',
        target='trainB',
        image_size=256,
        load_size=286,
        flip=True,
    )


def test_other_datasets_become_folders(old):
    migration = migrate_config(old('biggan', **{"type='CIFAR10'": "type='MyImages'"}))
    assert train_of(migration)['dataset']['type'] == 'ImageFolderDataset'
    (line,) = migration.listed
    assert "train_dataloader.dataset.type = 'MyImages': ours is ImageFolderDataset" in line
    dataset = train_of(
        migrate_config(old('biggan', **{"type='CIFAR10'": "type='mmcls.ImageNet', ann_file='a'"}))
    )['dataset']
    assert (dataset['type'], dataset['labels']) == ('ImageFolderDataset', True)


@pytest.mark.parametrize('name', ['dcgan', 'biggan'])
def test_what_the_old_config_leaves_to_the_user_is_listed(old, name):
    changes = dict(
        dcgan={"imgs_root='data/mnist_64', ": '', 'samples_per_gpu=128, ': ''},
        biggan={"data_prefix='./data/cifar10', ": '', 'batch_size=25,\n': ''},
    )
    migration = migrate_config(old(name, **changes[name]))
    assert train_of(migration)['batch_size'] == 32
    texts = [line.partition(': ')[2] for line in migration.listed]
    assert 'train_dataloader.batch_size: it is not there, and 32 is taken' in texts
    assert "train_dataloader.dataset.data_root: it is not there: 'data/images' is taken" in texts


def test_config_without_data(old):
    migration = migrate_config(old('biggan', **{'train_dataloader = ': '_other = '}))
    assert train_of(migration)['dataset']['image_size'] == 32
    assert any("a folder 'data/images' is taken" in line for line in migration.listed)
