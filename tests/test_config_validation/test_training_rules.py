"""The model, its optimizers, and the schedules of their rates."""

import pytest
import torch
from torch import nn


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'model': None}, 'model', 'is missing, and Runner needs it.'),
        ({'model': 'GAN'}, 'model', "must be Union[Module, Dict], got 'GAN'."),
        ({'model.loss': ...}, 'model.loss', 'is missing, and GAN needs it.'),
        ({'model.generator.latent_dim': 0}, 'model.generator', 'latent_dim must be an int of'),
        ({'model.generator.image_shape': (28, 28)}, 'model.generator', 'got (28, 28)'),
        ({'model.regularizers': [dict(type='R1Regularizer', weight=-1)]},
         'model.regularizers[0]', 'weight must be a finite number'),
        ({'model.discriminator.image_shape': (3, 28, 28)}, 'model', 'image_shape of generator and'),
        ({'model.generator.num_classes': 10}, 'model', 'num_classes of generator and'),
        ({'model.auxiliary_loss': dict(type='AuxiliaryClassifierLoss')},
         'model', 'auxiliary_loss needs a discriminator that classifies'),
        ({'model.data_preprocessor': dict(type='BaseDataPreprocessor')}, 'model', 'to_uint8'),
        ({'data_preprocessor': dict(type='BaseDataPreprocessor')}, 'model', 'to_uint8'),
        ({'model.ema.momentum': 1.5}, 'model', 'momentum must lie in (0, 1), got 1.5.'),
    ],
)  # fmt: skip
def test_errors_of_the_model(mistakes, settings, place, expected):
    found = mistakes(settings)
    assert list(found) == [place]
    assert expected in found[place]


def test_activation_checkpointing_names_modules(mistakes):
    key = 'activation_checkpointing'
    assert mistakes({key: 'discriminator.layers'}) == {}
    found = mistakes({key: ['discriminator.layer']})
    assert list(found) == [key]
    assert "Did you mean 'discriminator.layers'?" in found[key]


def test_each_part_has_its_own_error(mistakes):
    found = mistakes({'model.generator.latent_dim': 0, 'model.discriminator.hidden_dims': ()})
    assert list(found) == ['model.generator', 'model.discriminator']


def test_large_networks_take_no_memory(mistakes):
    """8 GB in float32, and seconds to fill with numbers."""
    assert mistakes({'model.generator.hidden_dims': (2**15, 2**16)}) == {}


def test_a_part_may_look_at_values(mistakes):
    """On the meta device there are none, and that is no mistake of the part."""

    class LooksAtValues(nn.Flatten):
        def __init__(self, rate=0.1):
            super().__init__()
            if rate < 0:
                raise ValueError('rate must be at least 0.')
            self.rates = [value.item() for value in torch.linspace(0, rate, 3)]

    assert mistakes({'model.augmentation': dict(type=LooksAtValues)}) == {}
    found = mistakes({'model.augmentation': dict(type=LooksAtValues, rate=-1)})
    assert 'rate must be at least 0.' in found['model.augmentation']


GENERATOR = 'optim_wrapper.generator'
ADAM = dict(type='Adam', lr=1e-3)


@pytest.mark.parametrize(
    ('settings', 'place', 'expected'),
    [
        ({'optim_wrapper': {}}, 'optim_wrapper.constructor', 'MultiOptimWrapperConstructor'),
        ({'optim_wrapper': dict(type='OptimWrapper', optimizer=ADAM)},
         'optim_wrapper.constructor', "must hold one wrapper each for discriminator and generator"),
        ({'optim_wrapper.constructor': 'MultiOptimConstructor'},
         'optim_wrapper.constructor', "Did you mean 'MultiOptimWrapperConstructor'?"),
        ({'optim_wrapper.discriminator': ...}, 'optim_wrapper', "has no entry for 'discriminator'"),
        ({'optim_wrapper.generater': dict(optimizer=ADAM)},
         'optim_wrapper', "has an entry for 'generater', but"),
        ({GENERATOR: dict(optimiser=ADAM)}, f'{GENERATOR}.optimiser', "Did you mean 'optimizer'?"),
        ({GENERATOR: {}}, f'{GENERATOR}.optimizer', 'is missing, and GANOptimWrapper needs it.'),
        ({GENERATOR: True}, 'optim_wrapper', "optimizer', got True. Write generator=dict("),
        ({f'{GENERATOR}.optimizer.type': 'Adaam'},
         f'{GENERATOR}.optimizer.type', "Did you mean 'Adam'?"),
        ({f'{GENERATOR}.optimizer.lr': -1.0},
         'optim_wrapper', "is not valid: Invalid learning rate: -1.0"),
        ({f'{GENERATOR}.optimizer.lr': '2e-4'}, f'{GENERATOR}.optimizer.lr', "got '2e-4'."),
        ({f'{GENERATOR}.optimizer.betas': (0.0, 0.9, 0.99)},
         f'{GENERATOR}.optimizer.betas', 'must be tuple[float'),
        ({f'{GENERATOR}.optimizer.betas': (0.0, 1.5)},
         'optim_wrapper', 'is not valid: Invalid beta'),
        ({f'{GENERATOR}.dtype': 'bf16'},
         'optim_wrapper', "dtype must be 'bfloat16', 'float16' or None"),
        ({f'{GENERATOR}.accumulative_counts': 0},
         'optim_wrapper', "'accumulative_counts': 0} is not valid"),
        ({f'{GENERATOR}.clip_grad': 1.0},
         f'{GENERATOR}.clip_grad', 'must be Mapping | None, got 1.0.'),
        ({f'{GENERATOR}.clip_grad': dict(maxnorm=1)},
         f'{GENERATOR}.clip_grad.maxnorm', "Did you mean 'max_norm'?"),
        ({f'{GENERATOR}.clip_grad': dict(type='norms', max_norm=1)},
         'optim_wrapper', 'type of clip_grad should be "norm" or "value" but got norms'),
        ({f'{GENERATOR}.paramwise_cfg': dict(lr_mul=0.1)},
         f'{GENERATOR}.paramwise_cfg.lr_mul', "Did you mean 'lr_mult'?"),
        ({f'{GENERATOR}.paramwise_cfg': dict(custom_keys={'layers': dict(lr_mul=0.1)})},
         f"{GENERATOR}.paramwise_cfg.custom_keys['layers'].lr_mul", "Did you mean 'lr_mult'?"),
        ({f'{GENERATOR}.paramwise_cfg': dict(custom_keys={'mapping': dict(lr_mult=0.1)})},
         f"{GENERATOR}.paramwise_cfg.custom_keys['mapping']", 'is in the name of no weight.'),
        ({f'{GENERATOR}.paramwise_cfg': dict(norm_decay_mult=0.0)},
         f'{GENERATOR}.paramwise_cfg.norm_decay_mult', 'is a factor of weight_decay'),
        ({'optim_wrapper.paramwise_cfg': dict(lr_mult=1)},
         'optim_wrapper', 'paramwise_cfg must stand in the entry of a network'),
        ({'param_scheduler.0.end_facotr': 0.1},
         'param_scheduler[0].end_facotr', "Did you mean 'end_factor'?"),
        ({'param_scheduler.0.by_epoch': ...},
         'param_scheduler[0].by_epoch', 'must be False: train_cfg counts'),
        ({'param_scheduler.0.begin': 9000}, 'param_scheduler[0]', 'end should be larger than'),
        ({'param_scheduler': dict(type='LinearLR', end=5)}, 'param_scheduler.by_epoch', 'must be'),
        ({'param_scheduler': dict(type='LinearLR', end=5),
          'train_cfg': dict(type='IterBasedTrainLoop', max_iters=9)},
         'param_scheduler.by_epoch', 'must be False: train_cfg counts iterations'),
        ({'param_scheduler': dict(generator=[])},
         'param_scheduler', "no entry for 'discriminator'"),
        ({'param_scheduler': dict(generator=[], discriminators=[])},
         'param_scheduler', "no entry for 'discriminator' (found: 'generator', 'discriminators')"),
        ({'param_scheduler': [dict(type='ConstantParamScheduler', by_epoch=False)]},
         'param_scheduler[0]', "'param_name'"),
        ({'param_scheduler': [dict(type='MultiStepLR', milestone=[1], by_epoch=False)]},
         'param_scheduler[0].milestone', "Did you mean 'milestones'?"),
    ],
)  # fmt: skip
def test_errors_of_optimizers(mistakes, settings, place, expected):
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
def test_valid_optimizers(mistakes, settings):
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
    found = mistakes({f'{GENERATOR}.dtype': 'bf16'})[f'{GENERATOR}.dtype']
    assert found.startswith('must be one of float16, bfloat16, ')
    found = mistakes({f'{GENERATOR}.dtype': 'bfloat16', f'{GENERATOR}.los_scale': 9})
    assert found.keys() == {f'{GENERATOR}.los_scale'}


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
    assert 'params must be matrices' in mistakes(wrapper)['optim_wrapper']
