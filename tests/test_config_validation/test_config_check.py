"""All mistakes of a config at once."""

import copy

import pytest
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn

import mmgan_lite
from mmgan_lite.config_validation import check_config
from mmgan_lite.config_validation.config_check import require_valid
from mmgan_lite.models import AdversarialModel, Player
from mmgan_lite.registry import MODELS, build_part

LAZY_BASE = """
from mmengine.hooks import LoggerHook
from mmgan_lite.engine.hooks import SetupCheckHook

default_scope = 'mmgan_lite'
train_cfg = dict(by_epoch=False, max_iters=10)
default_hooks = dict(
    setup_check=dict(type=SetupCheckHook), logger=dict(type=LoggerHook, interval=1)
)
"""
LAZY = """
from mmengine.config import read_base

with read_base():
    from .lazy_base import *
from mmengine.dataset import InfiniteSampler
from torch.optim import Adam

from mmgan_lite.datasets import DigitsDataset, image_collate
from mmgan_lite.engine import MultiOptimWrapperConstructor
from mmgan_lite.models import GAN, MLPDiscriminator, MLPGenerator, NonSaturatingGANLoss

model = dict(
    type=GAN,
    generator=dict(type=MLPGenerator, latent_dim=8, image_shape=(1, 28, 28)),
    discriminator=dict(type=MLPDiscriminator, image_shape=(1, 28, 28)),
    loss=dict(type=NonSaturatingGANLoss),
)
train_dataloader = dict(
    batch_size=8,
    sampler=dict(type=InfiniteSampler, shuffle=True),
    collate_fn=dict(type=image_collate),
    dataset=dict(type=DigitsDataset, image_size=28),
)
optim_wrapper = dict(
    constructor=MultiOptimWrapperConstructor,
    generator=dict(optimizer=dict(type=Adam, lr=1e-3)),
    discriminator=dict(optimizer=dict(type=Adam, lr=1e-3)),
)
train_cfg.update(dict(max_iters=2))
"""


@pytest.fixture
def cfg():
    return mmgan_lite.get_config('gan_mlp_digits-28x28')


def test_one_error_lists_all(cfg):
    cfg.modl = {}
    cfg.model.generator.laten_dim = 3
    cfg.model.discriminator.hidden_dims = 'wide'
    cfg.train_cfg.max_iters = 0
    cfg.optim_wrapper.generator.optimizer.lr = -1.0
    cfg.param_scheduler[0].end_factor = '0'
    cfg.default_hooks.logger.interval = 0
    cfg.train_dataloader.dataset.image_sise = 28
    with pytest.raises(ValueError, match=r'^The config has 8 errors:\n') as error:
        require_valid(cfg)
    lines = str(error.value).splitlines()[1:]
    assert [line.split(': ')[0].strip() for line in lines] == [
        'modl',
        'train_cfg.max_iters',
        'model.generator.laten_dim',
        'model.discriminator.hidden_dims',
        'train_dataloader.dataset.image_sise',
        'param_scheduler[0].end_factor',
        'optim_wrapper',
        'default_hooks.logger.interval',
    ]
    assert "Did you mean 'model'?" in lines[0]
    assert "Did you mean 'latent_dim'?" in lines[2]
    assert 'Invalid learning rate: -1.0' in lines[6]


def test_a_single_mistake(cfg):
    cfg.modl = {}
    with pytest.raises(ValueError, match=r'^The config has an error:\n  modl: is read by nothing'):
        require_valid(cfg)


def test_the_config_is_not_changed(cfg):
    before = copy.deepcopy(cfg.to_dict())
    check_config(cfg)
    assert cfg.to_dict() == before


def test_what_hangs_on_a_wrong_part_comes_to_light_afterwards(cfg):
    del cfg.model.loss
    del cfg.optim_wrapper.discriminator
    assert [problem.partition(': ')[0] for problem in check_config(cfg)] == ['model.loss']
    cfg.model.loss = dict(type='HingeGANLoss')
    (found,) = check_config(cfg)
    assert found.startswith("optim_wrapper: optim_wrapper has no entry for 'discriminator'")


def test_a_config_in_pure_python(tmp_path):
    (tmp_path / 'lazy_base.py').write_text(LAZY_BASE)
    (tmp_path / 'lazy.py').write_text(LAZY)
    cfg = Config.fromfile(tmp_path / 'lazy.py')
    assert check_config(cfg) == []
    cfg.work_dir = str(tmp_path / 'work')
    Runner.from_cfg(cfg).train()  # whose SetupCheckHook must not take imports for keys
    cfg.model.generator.laten_dim = 3
    cfg.train_dataloader.sampler.shuffles = True
    assert [problem.partition(': ')[0] for problem in check_config(cfg)] == [
        'model.generator.laten_dim',
        'train_dataloader.sampler.shuffles',
    ]


def test_parts_of_ones_own(cfg, tmp_path, monkeypatch):
    (tmp_path / 'parts_of_a_user.py').write_text(
        'from mmengine.hooks import Hook\n'
        'from mmengine.registry import HOOKS\n\n\n'
        '@HOOKS.register_module()\n'
        'class CountHook(Hook):\n'
        '    def __init__(self, every, inner=None):\n'
        '        self.every = every\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    base = str(mmgan_lite.config_path('gan/gan_mlp_digits-28x28.py'))
    path = tmp_path / 'mine.py'
    hook = "custom_hooks = [dict(type='CountHook', every=3, inner=dict(type='no part'))]"
    path.write_text(
        f"_base_ = {base!r}\ncustom_imports = dict(imports='parts_of_a_user')\n{hook}\n"
    )
    cfg = Config.fromfile(path)
    assert check_config(cfg) == []
    cfg.custom_hooks[0].everyy = cfg.custom_hooks[0].pop('every')
    assert [problem.partition(': ')[0] for problem in check_config(cfg)] == [
        'custom_hooks[0].everyy',
        'custom_hooks[0].every',
    ]


class Regression(BaseModel):
    """A model that is no GAN and has one optimizer."""

    def __init__(self, width=8):
        super().__init__()
        self.layer = nn.Linear(784, width)

    def forward(self, inputs, labels=None, mode='tensor'):
        return dict(loss=self.layer(inputs.float().flatten(1)).square().mean())


class Critics(AdversarialModel):
    """Two pairs of networks, and a batch that GAN would refuse."""

    def __init__(self, generators, critics):
        super().__init__(
            dict(
                critics=Player(('critics',), 'of_critics'),
                generators=Player(('generators',), 'of_generators', every=2),
            )
        )
        for name, networks in dict(generators=generators, critics=critics).items():
            built = {key: build_part(MODELS, cfg, name) for key, cfg in networks.items()}
            setattr(self, name, nn.ModuleDict(built))

    def losses(self, player, batch): ...


GENERATOR = dict(type='MLPGenerator', latent_dim=4, image_shape=(1, 8, 8), hidden_dims=(8,))
CRITIC = dict(type='MLPDiscriminator', image_shape=(1, 8, 8), hidden_dims=(8,))
PAIRS = dict(generators=dict(a=GENERATOR, b=GENERATOR), critics=dict(a=CRITIC, b=CRITIC))
SGD = dict(optimizer=dict(type='SGD', lr=0.1))


@pytest.mark.parametrize(
    ('model', 'optim_wrapper'),
    [
        (dict(type=Regression), SGD),
        (dict(type=Regression), dict(type='OptimWrapper', clip_grad=dict(max_norm=1), **SGD)),
        (dict(type=Regression), dict(constructor='MultiOptimWrapperConstructor', layer=SGD)),
        (
            dict(type=Critics, **PAIRS),
            dict(constructor='MultiOptimWrapperConstructor', of_critics=SGD, of_generators=SGD),
        ),
    ],
)
def test_models_of_another_kind(cfg, model, optim_wrapper):
    settings = {**cfg.to_dict(), 'model': model, 'optim_wrapper': optim_wrapper}
    for key in ('val_cfg', 'val_dataloader', 'val_evaluator', 'param_scheduler'):
        settings[key] = None
    assert check_config(settings) == []
    name = optim_wrapper.get('constructor') and list(optim_wrapper)[1]
    if name:
        settings['optim_wrapper'] = {k: v for k, v in optim_wrapper.items() if k != name}
        (found,) = check_config(settings)
        assert f"optim_wrapper: optim_wrapper has no entry for '{name}'" in found
    if model['type'] is Critics:
        settings['optim_wrapper'] = optim_wrapper
        generators = dict(a=dict(GENERATOR, laten_dim=4))
        settings['model'] = dict(type=Critics, **{**PAIRS, 'generators': generators})
        (found,) = check_config(settings)
        assert found.startswith("model: MLPGenerator has no argument 'laten_dim'. Did you mean")
