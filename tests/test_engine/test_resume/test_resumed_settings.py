"""What a resumed training has from its checkpoint, and what from its config."""

import copy
import uuid
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmgan_lite.registry import DATASETS, HOOKS, MODELS

LINEAR = dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=1, end=4, by_epoch=False)
STEP = dict(type='StepLR', step_size=2, gamma=0.3, by_epoch=False)


@MODELS.register_module()
class TwoWeights(BaseModel):
    """Two networks of a weight each, whose gradients change."""

    def __init__(self, probability=0.5):
        super().__init__()
        self.register_buffer('probability', torch.tensor(probability))
        self.generator = nn.Linear(1, 1)
        self.discriminator = nn.Linear(1, 1)

    def forward(self, inputs, mode):
        raise NotImplementedError

    def train_step(self, data, optim_wrapper):
        for name, network in (('generator', self.generator), ('discriminator', self.discriminator)):
            with optim_wrapper[name].optim_context(network):
                loss = network(torch.ones(1, 1)).square().sum()
            optim_wrapper[name].update_params(loss)
        return {}


@DATASETS.register_module()
class Numbers(Dataset):
    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return index


class Rates(Hook):
    """The rates that the steps take, by iteration."""

    def before_train(self, runner):
        self.generator, self.discriminator = {}, {}
        states = runner.optim_wrapper['generator'].optimizer.state_dict()['state']
        self.moments = copy.deepcopy(states)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for name in ('generator', 'discriminator'):
            (group,) = runner.optim_wrapper[name].optimizer.param_groups
            getattr(self, name)[runner.iter] = group['lr']


@pytest.fixture
def config(tmp_path):
    """Four iterations, or epochs of two iterations, each with a checkpoint.

    MMEngine waits for two seconds where the data of iterations begin anew: there are enough.
    """

    def load(length=4, schedules=(LINEAR,), by_epoch=False, resume_lr='checkpoint', **adam):
        adam = dict(type='Adam', lr=0.01, betas=(0.5, 0.9)) | adam
        kind = 'max_epochs' if by_epoch else 'max_iters'
        sampler = dict(type='DefaultSampler', shuffle=True)
        checkpoint = dict(
            type='GANCheckpointHook', interval=1, by_epoch=by_epoch, resume_lr=resume_lr
        )
        return Config(
            dict(
                default_scope='mmgan_lite',
                model=dict(type='TwoWeights'),
                work_dir=str(tmp_path),
                train_cfg={'by_epoch': by_epoch, kind: length},
                train_dataloader=dict(
                    dataset=dict(type='Numbers', size=2 if by_epoch else 8),
                    sampler=sampler,
                    batch_size=1,
                    collate_fn=dict(type='default_collate'),
                ),
                optim_wrapper=dict(
                    constructor='MultiOptimWrapperConstructor',
                    generator=dict(optimizer=dict(adam)),
                    discriminator=dict(optimizer=dict(type='Adam', lr=0.02)),
                ),
                param_scheduler=copy.deepcopy(
                    schedules if isinstance(schedules, dict) else list(schedules)
                ),
                randomness=dict(seed=0),
                default_hooks=dict(checkpoint=checkpoint, logger=None),
                resume=True,
                experiment_name=uuid.uuid4().hex,
            )
        )

    return load


def train(cfg):
    """Train; returns the Runner, the rates, and what the log says of the resumed settings."""
    # Runs that begin in the same second share a log.
    done = {path: len(path.read_bytes()) for path in Path(cfg.work_dir).glob('20*/*.log')}
    runner, rates = Runner.from_cfg(cfg), Rates()
    runner.register_hook(rates)
    runner.train()
    path = next(Path(runner.log_dir).glob('*.log'))
    log = path.read_bytes()[done.get(path, 0) :].decode()
    blocks = log.split(' - mmengine - ')
    found = [text for text in blocks if 'goes on with' in text or 'The training is longer' in text]
    assert len(found) <= 1
    return runner, rates, found[0] if found else ''


def test_settings_that_have_no_effect_are_listed(config):
    train(config())
    cfg = config(5, [dict(LINEAR, end_factor=0.2), STEP], lr=0.03, betas=(0.5, 0.99), eps=1e-6)
    cfg.optim_wrapper.discriminator.optimizer.weight_decay = 0.1
    cfg.optim_wrapper.discriminator.paramwise_cfg = None
    cfg.train_dataloader.sampler.seed = 3
    cfg.model.probability = 0.7
    runner, rates, text = train(cfg)
    assert text.splitlines()[:9] == [
        'WARNING - The training goes on with values of the checkpoint; the config has others:',
        '  optim_wrapper.discriminator.optimizer.weight_decay: 0 in the checkpoint, 0.1 in the '
        'config',
        '  optim_wrapper.generator.optimizer.betas: [0.5, 0.9] in the checkpoint, [0.5, 0.99] in '
        'the config',
        '  optim_wrapper.generator.optimizer.lr: 0.01 in the checkpoint, 0.03 in the config',
        '  optim_wrapper.generator.optimizer.eps: 1e-08 in the checkpoint, 1e-06 in the config',
        '  param_scheduler[0].end_factor: 0.1 in the checkpoint, 0.2 in the config',
        "  param_scheduler[1]: none in the checkpoint, {'by_epoch': False, 'gamma': 0.3, "
        "'step_size': 2, 'type': 'StepLR', 'end': 5} in the config, which begins only now",
        '  model.probability: none in the checkpoint, 0.7 in the config',
        '  train_dataloader.sampler.seed: none in the checkpoint, 3 in the config',
    ]
    assert "take effect by --resume-lr config (resume_lr='config' of GANCheckpointHook)" in text
    assert (
        'model.probability and train_dataloader.sampler.seed can only be set in a new training'
        in text
    )
    (group,) = runner.optim_wrapper['generator'].optimizer.param_groups
    assert (group['betas'], group['eps']) == ((0.5, 0.9), 1e-8)
    assert rates.generator == {4: pytest.approx(0.001)}
    # The values that go on are those of the first run, whatever the config of the second says.
    assert 'optim_wrapper.generator.optimizer.lr: 0.01 in the checkpoint, 0.03' in train(cfg)[2]


@HOOKS.register_module()
class Rollbacks(Hook):
    """Two rollbacks of a guard, in the checkpoint."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        state = dict(skips=0, rollbacks=2)
        runner.message_hub.update_info('non_finite_guard', state)


WARM_UP = dict(type='ConstantLR', factor=0.5, begin=0, end=3)
BY_EPOCH = [dict(type='CosineAnnealingLR'), dict(type='ExponentialLR', gamma=0.7)]


@pytest.mark.parametrize(
    ('schedules', 'by_epoch'),
    [
        ([dict(LINEAR, end=7), STEP, dict(WARM_UP, by_epoch=False)], False),
        ([*BY_EPOCH, dict(LINEAR, end=7), WARM_UP], True),
    ],
)
def test_rates_of_the_config_from_here_on(config, schedules, by_epoch):
    """They are those of a training that had them from the start, and the moments stay."""
    annealed = dict(target='optimizer.discriminator.lr', start=0.5, end=0.1, iterations=8)
    hooks = [
        dict(type='NonFiniteGuardHook', max_rollbacks=3),
        dict(type='AnnealHook', schedules=[annealed]),
    ]

    def load(length, generator, **settings):
        schedules = dict(generator=generator, discriminator=[])
        cfg = config(length, schedules, by_epoch, **settings)
        cfg.custom_hooks = hooks
        return cfg

    new = dict(lr=0.03, betas=(0.2, 0.99))
    cfg = load(8, schedules, **new)
    expected = train(cfg)[1]
    for path in Path(cfg.work_dir).glob('*.pth'):
        path.unlink()
    cfg = load(4, [LINEAR])
    cfg.custom_hooks = [*hooks, dict(type='Rollbacks')]
    first = train(cfg)[1]
    assert first.generator != {i: expected.generator[i] for i in first.generator}
    runner, rates, text = train(load(8, schedules, resume_lr='config', **new))
    steps = len(first.generator)
    assert steps == (8 if by_epoch else 4)
    later = range(steps, 2 * steps)
    assert rates.generator == {i: expected.generator[i] for i in later}  # to the last bit
    assert rates.discriminator == {i: expected.discriminator[i] for i in later}
    assert text == ''
    wrapper = runner.optim_wrapper['generator']
    assert wrapper.optimizer.param_groups[0]['betas'] == (0.2, 0.99)
    assert wrapper.lr_factor == 0.25
    saved = torch.load(Path(cfg.work_dir, f'{"epoch" if by_epoch else "iter"}_4.pth'))
    saved = saved['optimizer']['generator']['state']
    assert {int(moment['step']) for moment in saved.values()} == {steps}
    torch.testing.assert_close(rates.moments, saved, rtol=0, atol=0)
    assert train(load(8, schedules, **new))[2] == ''  # the checkpoint has them now


def test_a_longer_training_than_its_schedule(config):
    cfg = config()
    train(cfg)
    for iteration, value in ((3, ''), (4, ' (0.001)')):
        cfg = config(7)
        cfg.load_from = str(Path(cfg.work_dir, f'iter_{iteration}.pth'))
        assert train(cfg)[2].startswith(
            'WARNING - The training is longer than that of the checkpoint, but not its schedules:\n'
            f'  lr of generator stays at its last value{value} from iteration 4 to 7\n'
            '  lr of discriminator stays at its last value'
        )
        Path(cfg.work_dir, 'iter_5.pth').unlink()


def test_nothing_is_left_to_train(config):
    train(config())
    runner = train(config())[0]
    log = next(Path(runner.log_dir).glob('*.log')).read_text()
    assert 'WARNING - Nothing is left to train: the checkpoint is of iteration 4, and' in log


def test_what_the_config_cannot_take_over(config):
    cfg = config(1)
    train(cfg)
    cfg = config(2, resume_lr='config', type='SGD')
    del cfg.optim_wrapper.generator.optimizer.betas
    with pytest.raises(ValueError, match=r"optimizer.type must be .*, got 'SGD' for 'Adam'"):
        train(cfg)
    cfg = config(2, resume_lr='config')
    cfg.optim_wrapper.generator.paramwise_cfg = dict(bias_lr_mult=2)
    with pytest.raises(ValueError, match='groups of parameters of the checkpoint .* got 2 for 1'):
        train(cfg)
    plateau = dict(type='ReduceOnPlateauLR', monitor='loss', by_epoch=True)
    with pytest.raises(ValueError, match='schedules of the iteration alone, got ReduceOnPlateauLR'):
        train(config(2, [plateau], resume_lr='config'))


@pytest.mark.parametrize('name', ['gan/gan_mlp_digits-28x28.py', 'dcgan/dcgan_mnist-28x28.py'])
def test_nothing_has_changed(repo, shrunk_config, name):
    for iterations in (1, 2):
        cfg = shrunk_config(repo / 'configs' / name, iterations)
        cfg.default_hooks.checkpoint.interval = 1
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.resume = True
        assert train(cfg)[2] == ''
