"""Optimisers of the networks, and the schedules of their rates."""

import pytest
import torch
from torch import nn

GENERATOR = 'optim_wrapper.generator'
ADAM = dict(type='Adam', lr=1e-3)


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'optim_wrapper': {}}, 'optim_wrapper.constructor', 'MultiOptimWrapperConstructor'),
        ({'optim_wrapper': dict(type='OptimWrapper', optimizer=ADAM)},
         'optim_wrapper.constructor', "must be 'MultiOptimWrapperConstructor' for a GAN"),
        ({'optim_wrapper.constructor': 'MultiOptimConstructor'},
         'optim_wrapper.constructor', "Did you mean 'MultiOptimWrapperConstructor'?"),
        ({'optim_wrapper.discriminator': ...}, 'optim_wrapper.discriminator', 'is missing'),
        ({'optim_wrapper.generater': dict(optimizer=ADAM)},
         'optim_wrapper.generater', "Did you mean 'generator'?"),
        ({GENERATOR: dict(optimiser=ADAM)}, f'{GENERATOR}.optimizer', 'is missing. Add'),
        ({f'{GENERATOR}.optimizer.type': 'Adaam'},
         f'{GENERATOR}.optimizer.type', "Did you mean 'Adam'?"),
        ({f'{GENERATOR}.optimizer.lr': -1.0}, f'{GENERATOR}.optimizer', 'learning rate: -1.0'),
        ({f'{GENERATOR}.optimizer.lr': '2e-4'}, f'{GENERATOR}.optimizer.lr', "got '2e-4'."),
        ({f'{GENERATOR}.optimizer.betas': (0.0, 0.9, 0.99)},
         f'{GENERATOR}.optimizer.betas', 'must be tuple[float'),
        ({f'{GENERATOR}.optimizer.betas': (0.0, 1.5)}, f'{GENERATOR}.optimizer', 'index 1: 1.5'),
        ({f'{GENERATOR}.dtype': 'bf16'}, GENERATOR, "dtype must be 'bfloat16', 'float16' or None"),
        ({f'{GENERATOR}.accumulative_counts': 0}, GENERATOR, 'accumulative_counts=0'),
        ({f'{GENERATOR}.clip_grad': 1.0}, f'{GENERATOR}.clip_grad', 'must be a dict such as'),
        ({f'{GENERATOR}.clip_grad': dict(maxnorm=1)},
         f'{GENERATOR}.clip_grad.maxnorm', "Did you mean 'max_norm'?"),
        ({f'{GENERATOR}.clip_grad': dict(type='norms', max_norm=1)},
         f'{GENERATOR}.clip_grad.type', "must be 'norm' or 'value', got 'norms'."),
        ({f'{GENERATOR}.paramwise_cfg': dict(lr_mul=0.1)},
         f'{GENERATOR}.paramwise_cfg.lr_mul', "Did you mean 'lr_mult'?"),
        ({f'{GENERATOR}.paramwise_cfg': dict(custom_keys={'layers': dict(lr_mul=0.1)})},
         f"{GENERATOR}.paramwise_cfg.custom_keys['layers'].lr_mul", "Did you mean 'lr_mult'?"),
        ({f'{GENERATOR}.paramwise_cfg': dict(custom_keys={'mapping': dict(lr_mult=0.1)})},
         f"{GENERATOR}.paramwise_cfg.custom_keys['mapping']", 'is in the name of no weight.'),
        ({f'{GENERATOR}.paramwise_cfg': dict(norm_decay_mult=0.0)},
         f'{GENERATOR}.paramwise_cfg.norm_decay_mult', 'is a factor of weight_decay'),
        ({'optim_wrapper.paramwise_cfg': dict(lr_mult=1)},
         'optim_wrapper.paramwise_cfg', 'is no network that trains'),
        ({'param_scheduler.0.end_facotr': 0.1},
         'param_scheduler[0].end_facotr', "Did you mean 'end_factor'?"),
        ({'param_scheduler.0.by_epoch': ...}, 'param_scheduler[0].by_epoch', 'must be False where'),
        ({'param_scheduler.0.begin': 9000}, 'param_scheduler[0]', 'end should be larger than'),
        ({'param_scheduler': dict(type='LinearLR', end=5)}, 'param_scheduler.by_epoch', 'must be'),
        ({'param_scheduler': dict(type='LinearLR', end=5),
          'train_cfg': dict(type='IterBasedTrainLoop', max_iters=9)},
         'param_scheduler.by_epoch', 'must be False where train_cfg counts iterations'),
        ({'param_scheduler': dict(generator=[])}, 'param_scheduler.discriminator', 'is missing.'),
        ({'param_scheduler': dict(generator=[], discriminators=[])},
         'param_scheduler.discriminators', "Did you mean 'discriminator'?"),
        ({'param_scheduler': [dict(type='ConstantParamScheduler', by_epoch=False)]},
         'param_scheduler[0]', "'param_name'"),
        ({'param_scheduler': [dict(type='MultiStepLR', milestone=[1], by_epoch=False)]},
         'param_scheduler[0].milestone', "Did you mean 'milestones'?"),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_are(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert place in found
    assert expected in found[place]


def constant(**settings):
    return [dict(type='ConstantLR', factor=0.5, **settings)]


@pytest.mark.parametrize(
    'settings',
    [
        {f'{GENERATOR}.accumulative_counts': 2, f'{GENERATOR}.dtype': 'bfloat16'},
        {f'{GENERATOR}.clip_grad': dict(type='value', clip_value=1.0)},
        {f'{GENERATOR}.clip_grad': dict(max_norm=1, norm_type=2, error_if_nonfinite=False)},
        {f'{GENERATOR}.type': 'OptimWrapper', 'optim_wrapper.discriminator.type': 'OptimWrapper'},
        {f'{GENERATOR}.optimizer': dict(type='AdamW', lr=1, betas=[0.5, 0.9], foreach=True)},
        {f'{GENERATOR}.paramwise_cfg': dict(
            custom_keys={'layers.0': dict(lr_mult=0.1)}, bias_lr_mult=2.0, bypass_duplicate=True)},
        {f'{GENERATOR}.optimizer': dict(type='Adam', weight_decay=0.1),
         f'{GENERATOR}.paramwise_cfg': dict(norm_decay_mult=0.0)},
        {'param_scheduler': None},
        {'param_scheduler': []},
        {'param_scheduler': constant(by_epoch=False)},
        {'param_scheduler': constant(by_epoch=True, convert_to_iter_based=True)},
        {'param_scheduler': dict(generator=constant(by_epoch=False)[0], discriminator=[])},
        {'param_scheduler': [dict(type='OneCycleLR', eta_max=1e-3, total_steps=9, by_epoch=False)]},
        {'param_scheduler': [dict(type='ConstantParamScheduler', param_name='weight_decay',
                                  factor=0.5, by_epoch=False)]},
        {'param_scheduler': [dict(type='LinearLR', by_epoch=False, end=9),
                             dict(type='CosineAnnealingLR', T_max=9, by_epoch=False, begin=9)]},
    ],
)  # fmt: skip
def test_right_ones(mistakes, settings):
    assert mistakes(settings) == {}


def test_a_shared_schedule_has_its_mistake_once(mistakes):
    """It is looked at for each of two networks."""
    assert list(mistakes({'param_scheduler.0.end_facotr': 0.1})) == [
        'param_scheduler[0].end_facotr'
    ]


def test_the_end_of_a_schedule_is_that_of_the_training(mistakes):
    """Where it has none of its own, the Runner sets it; this one would begin afterwards."""
    found = mistakes({'param_scheduler.0.begin': 9000, 'param_scheduler.0.end': ...})
    assert 'begin=9000, end=8000' in found['param_scheduler[0]']


def test_a_wrapper_for_gpus_is_right_on_a_machine_without(mistakes, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    wrappers = ('generator', 'discriminator')
    assert mistakes({f'optim_wrapper.{n}.type': 'AmpOptimWrapper' for n in wrappers}) == {}
    assert mistakes({f'{GENERATOR}.los_scale': 9}).keys() == {f'{GENERATOR}.los_scale'}


class LooksAtValues(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        params = list(params)
        self.norm = sum(parameter.norm().item() for parameter in params)
        super().__init__(params, lr)


class OnlyMatrices(torch.optim.SGD):
    def __init__(self, params, lr=0.1):
        params = list(params)
        if any(parameter.ndim != 2 for parameter in params):
            raise ValueError('params must be matrices.')
        super().__init__(params, lr)


class WithoutBias(nn.Linear):
    image_shape = (1, 28, 28)

    def __init__(self):
        super().__init__(784, 1, bias=False)

    def forward(self, images):
        return super().forward(images.flatten(1))[:, 0]


def test_an_optimizer_may_look_at_values(mistakes):
    assert mistakes({'optim_wrapper.generator': dict(optimizer=dict(type=LooksAtValues))}) == {}


def test_an_optimizer_may_take_the_parameters_of_its_network_alone(mistakes):
    wrapper = {'optim_wrapper.discriminator': dict(optimizer=dict(type=OnlyMatrices))}
    assert mistakes({'model.discriminator': dict(type=WithoutBias), **wrapper}) == {}
    wrapper = {'optim_wrapper.generator': dict(optimizer=dict(type=OnlyMatrices))}
    assert 'params must be matrices' in mistakes(wrapper)['optim_wrapper.generator.optimizer']
