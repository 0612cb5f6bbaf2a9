"""Configs that come from MMGeneration or MMagic are told our names."""

import pytest
from mmengine.registry import HOOKS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS, DefaultScope

import mmgan_lite
from mmgan_lite import registry
from mmgan_lite.registry import Registry
from mmgan_lite.utils.migration import OLD_NAMES, either_name, former_hooks


@pytest.mark.parametrize(
    ('parent', 'cfg', 'ours'),
    [
        (HOOKS, dict(type='GenVisualizationHook', interval=5000), 'SampleVisualizationHook'),
        (HOOKS, dict(type='VisualizationHook', interval=5000), 'SampleVisualizationHook'),
        (MODELS, dict(type='GANDataPreprocessor'), 'ImageBatchPreprocessor'),
        (MODELS, dict(type='GANLoss', gan_type='vanilla'), 'NonSaturatingGANLoss'),
        (MODELS, dict(type='BasicConditionalGAN', noise_size=100), 'latent_dim'),
        (MODELS, dict(type='GANLoss', gan_type='hinge'), 'HingeGANLoss'),
        (MODELS, dict(type='R1GradientPenalty'), 'R1Regularizer'),
        (MODELS, dict(type='GradientPenaltyLossComps'), 'GradientPenalty'),
        (MODELS, dict(type='DiscShiftLoss'), 'DriftRegularizer'),
        (MODELS, dict(type='SNGANGenerator'), 'ResNetGenerator'),
        (OPTIM_WRAPPER_CONSTRUCTORS, dict(type='GenOptimWrapperConstructor'), 'MultiOptimWrapper'),
    ],
)
@pytest.mark.parametrize('prefixed', [True, False])
def test_old_name_is_answered_with_ours(parent, cfg, ours, prefixed):
    message = rf"'{cfg['type']}' is a name of MMGeneration or MMagic.*{ours}"
    with DefaultScope.overwrite_default_scope(None if prefixed else 'mmgan_lite'):
        if prefixed:
            cfg = {**cfg, 'type': f'mmgan_lite.{cfg["type"]}'}
        with pytest.raises(ValueError, match=message):
            parent.build(cfg)


def test_our_names_in_the_answers_exist():
    """Each answer begins with a part of ours, or with how to get there."""
    parts = {component.name for component in mmgan_lite.list_components()}
    for answer in set(OLD_NAMES.values()):
        assert any(part in answer for part in parts), answer


def test_no_part_of_ours_has_an_old_name():
    parts = {component.name for component in mmgan_lite.list_components()}
    assert parts & set(OLD_NAMES) == set()


def test_a_user_may_register_an_old_name():
    toy = Registry('toy', scope='mmgan_lite')

    @toy.register_module()
    class GANLoss:
        def __init__(self, gan_type):
            self.gan_type = gan_type

    assert toy.build(dict(type='GANLoss', gan_type='hinge')).gan_type == 'hinge'


def test_other_unknown_names_are_left_to_mmengine():
    assert registry.MODELS.get('NoSuchModel') is None


def test_former_default_hooks_get_their_type(repo):
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
    assert former_hooks(cfg) == []
    cfg.merge_from_dict(
        {
            'default_hooks.non_finite_guard.max_skips': 3,
            'default_hooks.provenance': dict(type='ProvenanceHook'),
        }
    )
    guard, provenance = former_hooks(cfg)
    assert cfg.default_hooks.non_finite_guard == dict(
        type='mmgan_lite.NonFiniteGuardHook', max_skips=3
    )
    assert guard.startswith('default_hooks.non_finite_guard: NonFiniteGuardHook is in health=dict(')
    assert provenance.startswith('default_hooks.provenance: ProvenanceHook is in checkpoint=dict(')
    assert former_hooks({}) == former_hooks(dict(default_hooks=None)) == []


def test_former_name_of_a_flag():
    assert either_name('new', True, False)
    assert not either_name('new', False, False)
    with pytest.warns(FutureWarning, match='old is called new now'):
        assert either_name('new', False, True, 'old')
