"""Old names of parts are answered with the new ones, and old import paths keep working."""

import importlib
import subprocess
import sys

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
        (MODELS, dict(type='UnetGenerator', num_down=8), 'UNetTranslator'),
        (MODELS, dict(type='ResnetGenerator'), 'ResNetTranslator'),
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


# What could be imported before the modules moved, by the old path.
MOVED = {
    'apis': 'GANInferencer connect_processes draw_images enlarge get_model lerp make_picture '
    'publish_generator read_published save_gif save_png slerp check_config',
    'apis.benchmarking': 'benchmark_training',
    'apis.config_check': 'check_config require_valid',
    'apis.inferencer': 'GANInferencer',
    'apis.interpolation': 'lerp slerp',
    'apis.model': 'get_model',
    'apis.pictures': 'enlarge make_picture save_gif save_png',
    'apis.processes': 'connect_processes',
    'apis.publishing': 'PublishedGenerator publish_generator read_published',
    'apis.sampling': 'draw_images',
    'arguments': 'check_positive check_weight check_image_shape check_num_classes '
    'check_hidden_dims',
    'environment': 'versions machine git_state',
    'models.augmentations': 'AdaptiveAugment DiffAugment',
    'models.augmentations.adaptive': 'AdaptiveAugment',
    'models.augmentations.diff_augment': 'DiffAugment',
    'models.averaged_model': 'ExponentialMovingAverage HalfLifeMovingAverage',
    'models.discriminators': 'DCGANDiscriminator MLPDiscriminator R3GANDiscriminator '
    'ResNetDiscriminator ResizeConvDiscriminator',
    'models.discriminators.resnet': 'ResNetDiscriminator',
    'models.generators': 'DCGANGenerator MLPGenerator R3GANGenerator ResNetGenerator '
    'ResizeConvGenerator',
    'models.generators.mlp': 'MLPGenerator',
    'old_names': 'OLD_NAMES check_name',
    'watching': 'Curve RunLog plot_runs render_page write_page',
    'watching.run_log': 'RunLog',
    'whole_files': '',
}


@pytest.mark.parametrize('old', MOVED)
def test_old_import_path_gives_the_same_objects_and_names_the_new_path(old, monkeypatch):
    monkeypatch.delitem(sys.modules, f'mmgan_lite.{old}', raising=False)
    with pytest.warns(
        DeprecationWarning, match=rf'mmgan_lite\.{old} has moved: import from'
    ) as log:
        module = importlib.import_module(f'mmgan_lite.{old}')
    message = [str(w.message) for w in log if f'mmgan_lite.{old} has' in str(w.message)][0]
    new = message.rstrip('.').partition('import from ')[2].split(' or ')
    for name in MOVED[old].split():
        owners = [m for m in map(importlib.import_module, new) if name in vars(m)]
        assert owners, f'{name} is in none of {new}'
        assert vars(module)[name] is vars(owners[0])[name]


def test_warning_points_to_the_importing_line(tmp_path):
    script = tmp_path / 'old_script.py'
    script.write_text('import mmgan_lite\nfrom mmgan_lite.watching import RunLog\n')
    done = subprocess.run(
        [sys.executable, '-W', 'always::DeprecationWarning:__main__', script],
        capture_output=True,
        text=True,
    )
    assert f'{script}:2: DeprecationWarning: mmgan_lite.watching has moved' in done.stderr


def test_unknown_module_is_still_not_found():
    with pytest.raises(ModuleNotFoundError, match="'mmgan_lite.no_such_module'"):
        importlib.import_module('mmgan_lite.no_such_module')


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
