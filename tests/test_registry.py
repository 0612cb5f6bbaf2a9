"""Parts are found by name, from anywhere, and built in our scope."""

import subprocess
import sys

import mmengine.registry
import pytest
from mmengine.registry import DefaultScope
from mmengine.registry import Registry as MMEngineRegistry
from mmengine.runner import Runner
from torch import nn

import mmgan_lite.registry
from mmgan_lite.models import HingeGANLoss
from mmgan_lite.registry import MODELS, SCOPE, Registry, build_part
from mmgan_lite.utils.signatures import signature_of

GAN = """dict(
    type='mmgan_lite.GAN',
    generator=dict(type='MLPGenerator', latent_dim=4, image_shape=(1, 4, 4), hidden_dims=(8,)),
    discriminator=dict(type='MLPDiscriminator', image_shape=(1, 4, 4), hidden_dims=(8,)),
    loss=dict(type='NonSaturatingGANLoss'),
    ema=dict(type='ExponentialMovingAverage'))"""


def run(code, folder):
    return subprocess.run(
        [sys.executable, '-c', code], cwd=folder, capture_output=True, text=True, check=True
    )


def mmengine_registries():
    return {
        name: value
        for name, value in vars(mmengine.registry).items()
        if isinstance(value, mmengine.registry.Registry)
    }


def test_each_registry_of_mmengine_has_a_child():
    names = mmengine_registries()
    assert len(names) >= 23
    for name, parent in names.items():
        child = getattr(mmgan_lite.registry, name)
        assert child.parent is parent, name
        assert child.scope == SCOPE, name


def test_gan_builds_in_a_fresh_process_with_nothing_imported(tmp_path):
    code = f'from mmengine.registry import MODELS; print(type(MODELS.build({GAN}).generator))'
    assert 'mmgan_lite.models.networks.mlp.MLPGenerator' in run(code, tmp_path).stdout


def test_inner_types_are_ours_under_another_default_scope(tmp_path, monkeypatch, repo):
    # A project that has a generator of the same name.
    package = tmp_path / 'othergan'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'registry.py').write_text(
        'import mmengine.registry as r\n'
        "MODELS = r.Registry('model', parent=r.MODELS, scope='othergan')\n"
        'class MLPGenerator: pass\n'
        'MODELS.register_module(module=MLPGenerator)\n'
    )
    monkeypatch.setenv('PYTHONPATH', f'{repo}:{tmp_path}')
    code = (
        'from mmengine.registry import MODELS, init_default_scope\n'
        "init_default_scope('othergan')\n"
        "print(MODELS.get('othergan.MLPGenerator').__module__)\n"
        f'print(type(MODELS.build({GAN}).generator).__module__)'
    )
    assert run(code, tmp_path).stdout.split() == [
        'othergan.registry',
        'mmgan_lite.models.networks.mlp',
    ]


def test_build_part_leaves_a_prefixed_type_to_mmengine():
    built = build_part(MODELS, dict(type='mmengine.BaseDataPreprocessor'), 'data_preprocessor')
    assert type(built).__module__.startswith('mmengine.')


def test_build_part_passes_an_object_through():
    module = nn.Identity()
    assert build_part(MODELS, module, 'generator') is module


def test_build_part_asks_for_a_type():
    with pytest.raises(ValueError, match=r'generator must name its class.*Add type='):
        build_part(MODELS, dict(latent_dim=4), 'generator')


def test_misspelled_argument_is_answered_with_the_closest():
    message = (
        r"MLPGenerator has no argument 'latent_dims'\. "
        r"Did you mean 'latent_dim'\? Its arguments are: latent_dim, image_shape"
    )
    with pytest.raises(TypeError, match=message):
        MODELS.build(dict(type='MLPGenerator', latent_dims=4))


def test_unlike_argument_is_answered_with_the_list():
    with pytest.raises(
        TypeError, match=r"no argument 'xyz'\. Remove it\. Its arguments are: image_"
    ):
        MODELS.build(dict(type='MLPDiscriminator', xyz=1))


def test_every_registered_class_explains_an_unknown_argument():
    registries = [r for r in vars(mmgan_lite.registry).values() if isinstance(r, Registry)]
    count = 0
    for registry in registries:
        registry.import_from_location()
        for cls in registry.module_dict.values():
            if isinstance(cls, type) and not signature_of(cls).is_open:
                count += 1
                with pytest.raises(TypeError, match="has no argument 'no_such_argument'"):
                    registry.build(dict(type=cls, no_such_argument=1))
    assert count >= 50


@pytest.mark.parametrize(
    ('place', 'known'),
    [
        ('model.discriminator_stepz', 'discriminator_steps'),
        ('model.generator.laten_dim', 'latent_dim'),
        ('train_dataloader.dataset.image_sise', 'image_size'),
        ('train_dataloader.sampler.shufle', 'shuffle'),
        ('default_hooks.samples.num_sample', 'num_samples'),
        ('default_hooks.logger.intervall', 'interval'),
        ('val_evaluator.num_sample', 'num_samples'),
        ('val_evaluator.metrics.0.neighbor', 'neighbors'),
        ('param_scheduler.0.end_facotr', 'end_factor'),
    ],
)
def test_runner_explains_an_unknown_argument(tmp_path, place, known):
    cfg = mmgan_lite.get_config('gan_mlp_digits-28x28')
    cfg.work_dir, cfg.experiment_name = str(tmp_path), place
    cfg.model.generator.hidden_dims = cfg.model.discriminator.hidden_dims = (8,)
    cfg.val_evaluator.metrics = [dict(type='PrecisionRecall')]
    part, _, name = place.rpartition('.')
    found = cfg
    for key in part.split('.'):
        found = found[int(key)] if key.isdigit() else found[key]
    found[name] = 3
    with pytest.raises(TypeError, match=rf"has no argument '{name}'. Did you mean '{known}'\?"):
        Runner.from_cfg(cfg).train()


def test_an_error_inside_of_a_class_stays_what_it_is():
    registry = Registry('toy', parent=mmengine.registry.MODELS, scope='toy')

    @registry.register_module()
    class Toy:
        def __init__(self, size):
            self.area = size + 'a'

    try:
        with pytest.raises(TypeError, match='unsupported operand'):
            registry.build(dict(type='toy.Toy', size=3))
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'size'"):
            registry.build(dict(type='toy.Toy'))
    finally:
        mmengine.registry.MODELS.children.pop('toy')


def test_registered_classes_stay_as_they_are():
    init = nn.Bilinear.__init__
    registry = Registry('toy', scope='toy')
    registry.register_module(module=nn.Bilinear)
    assert registry.get('Bilinear').__init__ is init
    assert '__wrapped__' not in vars(HingeGANLoss.__init__)


@pytest.mark.parametrize('loss', ['HingeGANLoss', HingeGANLoss])
def test_the_name_or_class_of_a_part_is_no_part(loss):
    with pytest.raises(ValueError, match=r"Pass loss=dict\(type='HingeGANLoss'\)\."):
        build_part(MODELS, loss, 'loss')


def test_a_part_in_a_part_of_ours_may_be_of_the_default_scope():
    theirs = MMEngineRegistry('model', parent=mmengine.registry.MODELS, scope='theirs')
    theirs.register_module('TheirAugmentation', module=nn.Identity)
    cfg = dict(type='ConsistencyRegularizer', augmentation=dict(type='TheirAugmentation'))
    try:
        with DefaultScope.overwrite_default_scope('theirs'):
            part = build_part(MODELS, cfg, 'regularizer')
    finally:
        mmengine.registry.MODELS.children.pop('theirs')
    assert type(part.augmentation) is nn.Identity
