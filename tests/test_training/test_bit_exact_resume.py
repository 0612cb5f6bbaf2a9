"""An interrupted training ends in the same bytes as one that never was, in every family."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PATHS = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.relative_to(CONFIGS).parts
)
ITERATIONS = 6
# One of each family that differs in what it keeps; all of them with -m slow.
QUICK = {
    'gan_mlp_digits-28x28',  # average, schedule
    'lsgan_mnist-28x28',  # batch norm in both
    'acgan_mnist-28x28',  # labels
    'pggan_digits-28x28',  # growth, cut before and within a fade
    'r3gan_mnist-28x28_cpu',  # lazy penalties
    'r3gan_cifar10-32x32',  # annealing, adaptive augmentation
}
# The other families, whose own networks take long on a CPU, on small ones of the same kind.
SMALL = {
    'biggan_digits-28x28': (dict(channels=8), dict(channels=(8, 8))),
    'cgan_mnist-28x28': (dict(base_channels=4), dict(base_channels=4)),
    'dcgan_mnist-28x28': (dict(base_channels=4), dict(base_channels=4)),
    # noise, a random part to reconstruct
    'fastgan_digits-28x28': (dict(base_channels=2), dict(base_channels=2)),
    'pix2pix_edges2digits-28x28': ({}, {}),
    'cyclegan_emoji-64x64_cpu': ({}, {}),  # pools
    'cut_emoji-64x64_cpu': ({}, {}),  # random places of patches
    'sagan_digits-28x28': (dict(channels=8), dict(channels=(8, 8))),
    'sngan_cifar10-32x32': (dict(channels=8), dict(channels=(8, 8))),
    'wgan_gp_cifar10-32x32': (dict(channels=8), dict(channels=(8, 8))),
    # path length, mean style, mixed styles, noise, adaptive augmentation, corrected Adam
    'stylegan2_ada_folder-64x64': (dict(style_dim=8), {}),
}
# Anything in a checkpoint but times and names of files.
COMPARED = ('state_dict', 'optimizer', 'param_schedulers', 'training_state')


class Interruption(Hook):
    """Ctrl-C when this iteration is over, and its checkpoint written."""

    priority = 'LOWEST'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


def differing(ours, theirs, path=''):
    """Places in which two checkpoints are not equal to the bit."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = ours.keys() | theirs.keys()
        return [p for k in keys for p in differing(ours.get(k), theirs.get(k), f'{path}.{k}')]
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        if len(ours) != len(theirs):
            return [path]
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [p for i, (a, b) in pairs for p in differing(a, b, f'{path}[{i}]')]
    if isinstance(ours, torch.Tensor) and isinstance(theirs, torch.Tensor):
        same = ours.dtype == theirs.dtype and ours.shape == theirs.shape
        as_bytes = [t.contiguous().reshape(-1).view(torch.uint8) for t in (ours, theirs)]
        return [] if same and torch.equal(*as_bytes) else [path]
    return [] if ours == theirs or (ours != ours and theirs != theirs) else [path]


def train(cfg, cut=None):
    """Train to the end, from the newest checkpoint there is; what the last one holds."""
    runner = Runner.from_cfg(cfg)
    if cut is not None:
        runner.register_hook(Interruption(cut))
        with pytest.raises(KeyboardInterrupt):
            runner.train()
        return None
    runner.train()
    return torch.load(Path(cfg.work_dir) / f'iter_{ITERATIONS}.pth', weights_only=True)


def in_one_go_and_cut(make, tmp_path, cut):
    def config(name):
        cfg = make()
        cfg.work_dir, cfg.resume = str(tmp_path / name), True
        cfg.default_hooks.checkpoint.update(interval=1, by_epoch=False)
        return cfg

    whole = train(config('whole'))
    train(config('cut'), cut)
    return whole, train(config('cut'))


def assert_same(whole, cut):
    for key in COMPARED:
        assert (key in whole) == (key in cut)
        assert differing(whole.get(key), cut.get(key)) == [], key
    ours, theirs = (c['message_hub']['log_scalars'] for c in (whole, cut))
    for name in ours:
        if name.startswith('train/') and 'time' not in name:
            assert ours[name] == theirs[name], name


@pytest.fixture
def make_config(shrunk_config):
    """What trains a config of the repo, or its family on small networks."""

    def make(path, small=None):
        cfg = shrunk_config(path, ITERATIONS)
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        for network in cfg.optim_wrapper.values():
            if 'dtype' in network:
                network['dtype'] = None
        for network, settings in zip(('generator', 'discriminator'), small or (), strict=False):
            cfg.model[network].update(settings)
        return cfg

    return make


@pytest.mark.parametrize('cut', [2, 5])
@pytest.mark.parametrize(
    'path',
    [pytest.param(p, marks=() if p.stem in QUICK else pytest.mark.slow, id=p.stem) for p in PATHS],
)
def test_every_config(path, cut, make_config, tmp_path):
    assert_same(*in_one_go_and_cut(lambda: make_config(path), tmp_path, cut))


@pytest.mark.parametrize('path', [pytest.param(p, id=p.stem) for p in PATHS if p.stem in SMALL])
def test_other_families_on_small_networks(path, make_config, tmp_path):
    whole, cut = in_one_go_and_cut(lambda: make_config(path, SMALL[path.stem]), tmp_path, cut=4)
    assert_same(whole, cut)


def test_each_family_is_among_those_that_are_always_tested():
    tested = {path.parent.name for path in PATHS if path.stem in (QUICK | SMALL.keys())}
    assert tested == {path.parent.name for path in PATHS}


@pytest.mark.parametrize(('by_epoch', 'workers'), [(False, 0), (True, 0), (False, 1)])
def test_accumulation_validation_and_workers(by_epoch, workers, repo, shrunk_config, tmp_path):
    """Cut in the middle of an epoch, of an accumulation, and between validations."""

    def make():
        cfg = shrunk_config(repo / 'configs/gan/gan_mlp_digits-28x28.py', ITERATIONS)
        cfg.train_cfg.val_interval = 2
        cfg.train_dataloader.dataset.indices = 16
        cfg.train_dataloader.num_workers = workers
        cfg.optim_wrapper.discriminator.accumulative_counts = 2
        cfg.model.augmentation = dict(type='DiffAugment')
        cfg.model.discriminator_steps = 2
        if by_epoch:
            cfg.train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
            cfg.train_dataloader.sampler = dict(type='DefaultSampler', shuffle=True)
            cfg.log_processor.by_epoch = True
        return cfg

    whole, cut = in_one_go_and_cut(make, tmp_path, cut=3)
    assert_same(whole, cut)
    assert whole['training_state']['processes'][0]['random']['torch'].any()


def test_the_comparison_sees_a_bit():
    state = dict(weight=torch.tensor([1.0, 0.0]), steps=[3, (4, None)])
    other = dict(weight=torch.tensor([1.0, -0.0]), steps=[3, (5, None)])
    assert differing(state, state) == []
    assert sorted(differing(state, other)) == ['.steps[1][0]', '.weight']
