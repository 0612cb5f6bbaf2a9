import re

import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from PIL import Image

from mmgan_lite.config_migration import migrate_config
from mmgan_lite.config_validation import check_config
from mmgan_lite.datasets import DigitsDataset


def test_each_config_is_one_of_ours(old, old_name, tmp_path):
    migration = migrate_config(old(old_name))
    path = tmp_path / 'ours.py'
    path.write_text(migration.text)
    cfg = Config.fromfile(path)
    assert check_config(cfg) == []
    assert cfg.model.to_dict() == migration.config['model']
    for line in migration.listed:
        assert re.match(rf'{old_name}\.py, line \d+: ', line)
        assert f'#   {line}\n' in migration.text
    assert migration.ignored >= 4


@pytest.fixture
def digits(tmp_path):
    """Folders of images in color: alone, and of two kinds."""
    root, images = tmp_path / 'images', DigitsDataset(image_size=32)
    for number in range(16):
        for folder, index in (('alone', number), ('trainA', number), ('trainB', number + 16)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(images[index]['inputs'][0].numpy()).convert('RGB')
            image.save(root / folder / f'{number}.png')
    return root


SMALL = dict(
    dcgan={
        '_scale=64': '_scale=16',
        '(64, 64)': '(16, 16)',
        'base_channels=1024': 'base_channels=16',
        'samples_per_gpu=128': 'samples_per_gpu=4',
        'data/mnist_64': '{}/alone',
    },
    stylegan2={
        '_size=256': '_size=16',
        'channels=512': 'channels=16, num_mlps=2',
        './data/ffhq': '{}/alone',
        'type=\'ADAStyle': 'channel_multiplier=1, type=\'ADAStyle',
    },
    cyclegan={
        'base_channels=64': 'base_channels=4',
        'num_blocks=9': 'num_blocks=1',
        '(286, 286)': '(36, 36)',
        '(256, 256)': '(32, 32)',
        './data/horse2zebra': '{}',
    },
)  # fmt: skip


@pytest.mark.parametrize('name', SMALL)
def test_ten_iterations(old, digits, tmp_path, name):
    """Of small networks; StyleGAN2's channels have no setting there, and are made fewer here."""
    changes = {before: after.format(digits) for before, after in SMALL[name].items()}
    path = tmp_path / 'ours.py'
    path.write_text(migrate_config(old(name, **changes)).text)
    cfg = Config.fromfile(path)
    if name == 'stylegan2':
        for network in ('generator', 'discriminator'):
            cfg.model[network].channel_max = 8
    for key in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg.pop(f'{key}_{part}', None)
    cfg.train_cfg = dict(by_epoch=False, max_iters=10)
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.iter == 10


def test_seed_and_imports(old):
    text = 'randomness = dict(seed=7, diff_rank_seed=True)\ncustom_imports = dict(imports=["a"])\n'
    migration = migrate_config(old('dcgan', **{'lr_config = None': text}))
    assert migration.config['randomness'] == dict(seed=7)
    (line,) = migration.listed
    reason = 'import your own modules by custom_imports of the new config'
    assert line.endswith(f"custom_imports = {{'imports': ['a']}}: {reason}")


def test_weights_that_are_loaded_are_listed(old):
    (line,) = migrate_config(old('dcgan', **{'lr_config = None': "load_from = 'a.pth'"})).listed
    assert line.endswith(
        "load_from = 'a.pth': convert checkpoints by mmgan-lite convert-checkpoint"
    )


def test_base_is_named_by_its_path(old):
    path = old('dcgan')
    base = path.parent / 'base' / 'runtime.py'
    base.write_text(f'{base.read_text()}unknown = 3\n')
    (line,) = migrate_config(path).listed
    assert line.startswith('base/runtime.py, line ')
    assert line.endswith(': unknown = 3: ours has no such setting')


def test_config_without_a_model_is_named(old):
    with pytest.raises(ValueError, match=r'must be a config of a GAN, with model = dict\(\.\.\.\)'):
        migrate_config(old('config', 'a = 1'))
