"""Parts against the signatures of their classes."""

import pytest
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmgan_lite.config_validation.walk import ConfigWalk, Place, check_scope, find
from mmgan_lite.models import HingeGANLoss, R1Regularizer
from mmgan_lite.registry import HOOKS


@MODELS.register_module()
class AnythingInside(nn.Module):
    """A user's own, whose dicts with ``type`` may be no parts at all."""

    def __init__(self, act, **more):
        super().__init__()


AnythingInside.__module__ = 'somebody.else'


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        ({'model.generator.hiden_dims': (64,)}, "Did you mean 'hidden_dims'?"),
        ({'model.generator.latent_dim': '100'}, "must be int, got '100'."),
        ({'model.generator.hidden_dims': ['256', '512']}, 'must be Sequence[int], got'),
        ({'model.generator.type': 'MLPGenerater'}, "Did you mean 'MLPGenerator'?"),
        ({'model.ema.momentm': 1e-3}, "Did you mean 'momentum'?"),
        ({'model.ema': dict(momentum=1e-3)},
         "must be a dict with type='...', got {'momentum': 0.001}"),
        ({'model.ema': True}, 'must be Mapping | None, got True.'),
        ({'model.loss': 'HingeGANLoss'}, "must be Mapping | Module, got 'HingeGANLoss'."),
        ({'model.loss.type': 'HingeLoss'}, "Did you mean 'HingeGANLoss'?"),
        ({'model.loss.type': 'mmgan_lite.HingeLoss'}, "Did you mean 'HingeGANLoss'?"),
        ({'model.loss.type': 'mmgan.HingeGANLoss'}, "'mmgan.HingeGANLoss' is not registered"),
        ({'model.loss.type': 3}, 'must be the name of a class, got 3.'),
        ({'model.discriminator_steps': 5.0}, 'must be int, got 5.0.'),
        ({'model.augmentation': 'color,translation'}, 'must be Mapping | Module | None'),
        ({'model.regularizers': dict(type='R1Regularizer')}, 'must be Sequence[Mapping | Module]'),
        ({'model.init_cfg': dict(type='Normall', layer='Linear')}, "Did you mean 'Normal'?"),
        ({'model_wrapper_cfg.type': 'GANDataParallel'}, 'is not registered as a model wrapper'),
    ],
)  # fmt: skip
def test_mistakes_are_named_where_they_are(mistakes, settings, expected):
    ((key, value),) = settings.items()
    found = mistakes(settings)
    places = {key, f'{key}.type'} if isinstance(value, dict) else {key}
    assert len(found) == 1
    assert found.keys() <= places
    assert expected in next(iter(found.values()))


@pytest.mark.parametrize(
    'settings',
    [
        {'model.generator.image_shape': [1, 28, 28], 'model.generator.hidden_dims': [32, 64]},
        {'model.generator.type': 'mmgan_lite.MLPGenerator', 'model.loss._scope_': 'mmgan_lite'},
        {'model.loss.type': HingeGANLoss},
        {'model.ema': dict(type='mmengine.ExponentialMovingAverage', momentum=0.01)},
        {'model.init_cfg': [dict(type='Normal', layer=['Linear'], std=0.02)]},
        {'model.augmentation': dict(type='AnythingInside', act=dict(type='X'), norm=dict(a=1))},
    ],
)
def test_right_ones(mistakes, settings):
    assert mistakes(settings) == {}


def test_an_entry_has_a_scope_of_its_own(mistakes):
    scope = dict(_scope_='mmgan_lite')
    settings = {'default_scope': 'mmengine', 'model._scope_': 'mmgan_lite'}
    found = mistakes(settings)
    assert not any(place.startswith('model.') for place in found)
    assert found['train_dataloader.dataset.type'] == (
        "'DigitsDataset' is not registered as a dataset under the scope 'mmengine'. "
        "Set default_scope='mmgan_lite', or type='mmgan_lite.DigitsDataset'."
    )
    found = mistakes({'train_dataloader.dataset': dict(type='DigitsDataset', **scope)})
    assert not any(place.startswith('train_dataloader.dataset') for place in found)


def test_a_scope_that_is_none(mistakes, capsys):
    ((place, text),) = mistakes({'default_scope': 'mmgan_light'}).items()
    assert place == 'default_scope'
    assert "got 'mmgan_light'. Did you mean 'mmgan_lite'?" in text
    assert capsys.readouterr().out == ''


def test_scopes():
    check_scope('mmgan_lite')
    check_scope('mmengine')
    with pytest.raises(ValueError, match=r"scope of a registry, got 'nowhere'\. It is the name of"):
        check_scope('nowhere')


def test_parts_under_an_unknown_argument_are_not_looked_at():
    """Their kind is not known."""
    walk = ConfigWalk({})
    with DefaultScope.overwrite_default_scope('mmgan_lite'):
        cfg = dict(type='R1Regularizer', extractr=dict(type='MNISTClassifier'))
        assert walk.part('a', cfg, Place('MODELS')) is None
    (problem,) = walk.problems
    assert problem.startswith("a.extractr: R1Regularizer has no argument 'extractr'. ")


def test_part_gives_the_class_of_what_is_right():
    walk = ConfigWalk({})
    assert walk.part('a', dict(type='mmgan_lite.HingeGANLoss'), Place('MODELS')) is HingeGANLoss
    assert walk.part('a', {}, Place('MODELS', default=HingeGANLoss)) is HingeGANLoss
    assert walk.problems == []
    assert walk.part('a', 3, Place('MODELS')) is None
    assert walk.part('b', {}, Place('MODELS')) is None
    assert walk.problems == [
        "a: must be a dict with type='...', got 3.",
        "b: must be a dict with type='...', got {}.",
    ]


def test_an_error_is_one_line():
    walk = ConfigWalk({})
    walk.note('model', 'first\n   second')
    assert walk.problems == ['model: first second']


def test_functions_have_leading_arguments_of_their_caller():
    def drop(batch, last, times: int = 1): ...

    drop.__module__ = 'mmgan_lite.somewhere'
    walk = ConfigWalk({})
    assert walk.part('a', dict(type=drop, last=True), Place('FUNCTIONS', 1)) is drop
    assert walk.problems == []
    for path, cfg in dict(b='drop', c=dict(type=drop, times='2'), d=dict(type='dropp')).items():
        assert walk.part(path, cfg, Place('FUNCTIONS', 1)) is None
    places = [problem.partition(': ')[0] for problem in walk.problems]
    assert places == ['b', 'c.times', 'c.last', 'd.type']


def test_build_notes_the_error_of_a_class():
    walk = ConfigWalk({})
    cfg = dict(type='mmgan_lite.R1Regularizer', weight=-1)
    assert walk.part('a', cfg, Place('MODELS')) is R1Regularizer
    assert walk.build('a') is None
    (problem,) = walk.problems
    assert problem.startswith('a: weight must be a finite number of at least 0, got -1. ')
    assert problem.endswith("(in type='mmgan_lite.R1Regularizer', weight=-1)")
    assert walk.build('a', weight=2).weight == 2


def test_entries():
    walk = ConfigWalk(dict(train_cfg=dict(max_iters=3), val_cfg=None, model='GAN'))
    assert walk.entry('train_cfg') == dict(max_iters=3)
    assert [walk.entry(key) for key in ('val_cfg', 'model', 'none')] == [{}] * 3


def test_names_are_found_as_the_runner_finds_them():
    with DefaultScope.overwrite_default_scope('mmgan_lite'):
        assert find('HingeGANLoss', 'MODELS') is HingeGANLoss
        assert find('LoggerHook', 'HOOKS') is HOOKS.get('LoggerHook')
    with DefaultScope.overwrite_default_scope('mmengine'):
        with pytest.raises(ValueError, match="Set default_scope='mmgan_lite'"):
            find('HingeGANLoss', 'MODELS')
        assert find('HingeGANLoss', 'MODELS', owner='mmgan_lite') is HingeGANLoss
    assert find(HingeGANLoss, 'MODELS') is HingeGANLoss
