"""Old names: of parts in MMGeneration and MMagic, and of modules of this package that have moved.

Configs from MMGeneration and MMagic name parts that have other names here: looking one up raises an
error with the new name. Old import paths of this package keep working, with a warning.
"""

import importlib
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Old modules and where their names are now, without 'mmgan_lite.'. Modules below one of them are
# below its first new one, unless they are named here too.
_MOVED_MODULES: dict[str, tuple[str, ...]] = {
    'apis': ('inference', 'config_validation', 'engine.processes', 'visualization'),
    'apis.benchmarking': ('engine.benchmark.measurement',),
    'apis.config_check': ('config_validation.config_check',),
    'apis.pictures': ('visualization.image_grid',),
    'apis.processes': ('engine.processes',),
    'arguments': ('utils.validation',),
    'engine.hooks.corrupt_image_hook': ('engine.hooks.setup_check_hook',),
    'engine.hooks.data_placement_hook': ('engine.hooks.setup_check_hook',),
    'engine.hooks.evaluation_log_hook': ('engine.hooks.deferred_log_hook',),
    'environment': ('utils.environment',),
    'evaluation.fidelity': ('evaluation.torch_fidelity_adapter',),
    'models.augmentations': ('models.augmentation',),
    'models.averaged_model': ('models.averaging',),
    'models.discriminators': ('models.networks',),
    'models.generators': ('models.networks',),
    'models.layers.r3gan': ('models.networks.r3gan',),
    'models.layers.resize_conv': ('models.networks.resize_conv',),
    'old_names': ('utils.migration',),
    'watching': ('visualization',),
    'watching.pictures': ('visualization.page_images',),
    'whole_files': ('utils.atomic_io',),
}

# Names of the other projects, and what to write instead of them.
_REPLACEMENTS = {
    'GenVisualizationHook VisualizationHook BasicVisualizationHook VisualizeUnconditionalSamples': (
        'SampleVisualizationHook(interval=1000, by_epoch=False, num_samples=64, seed=0)'
    ),
    'GANDataPreprocessor GenDataPreprocessor DataPreprocessor': (
        'ImageBatchPreprocessor(), which scales uint8 images to [-1, 1]; no mean, no std'
    ),
    'GenOptimWrapperConstructor PGGANOptimWrapperConstructor': (
        'MultiOptimWrapperConstructor with generator=dict(optimizer=...), '
        'discriminator=dict(optimizer=...) beside it in optim_wrapper'
    ),
    'GANLoss GANLossComps': (
        'NonSaturatingGANLoss() under loss of the GAN, for gan_type vanilla and wgan-logistic-ns; '
        'LeastSquaresGANLoss(), half as large, for lsgan; WassersteinGANLoss() for wgan; '
        'HingeGANLoss() for hinge; label_smoothing is 1 - real_label_val'
    ),
    'BaseGAN BaseConditionalGAN StaticUnconditionalGAN BasicConditionalGAN': (
        'GAN(generator, discriminator, loss, ema=None, discriminator_steps=1, generator_steps=1); '
        'noise_size is latent_dim of the generator here'
    ),
    'UnconditionalImageDataset': (
        'ImageFolderDataset(data_root=..., image_size=...) for files, '
        'or a subclass of InMemoryImageDataset, which overrides load_images'
    ),
    'RampUpEMA ExponentialMovingAverageHook': (
        "ema=dict(type='ExponentialMovingAverage', momentum=...) of the GAN; "
        'momentum is 1 - decay, 0.001 for a decay of 0.999'
    ),
    'R1GradientPenalty R1GradientPenaltyComps': (
        'R1Regularizer(weight=10.0, interval=1) under regularizers of the GAN; '
        'for norm_mode HWC, weight is 2 * loss_weight / interval'
    ),
    'GradientPenaltyLoss GradientPenaltyLossComps': (
        'GradientPenalty(weight=10.0, interval=1) under regularizers of the GAN; '
        'for norm_mode HWC, weight is loss_weight'
    ),
    'DiscShiftLoss DiscShiftLossComps': (
        'DriftRegularizer(weight=0.001, interval=1) under regularizers of the GAN, '
        'which is on the real logits alone; weight is loss_weight'
    ),
    'DCGAN': 'GAN with DCGANGenerator and DCGANDiscriminator; see configs/dcgan',
    'LSGAN': 'GAN with LeastSquaresGANLoss; see configs/lsgan',
    'WGANGP': 'GAN with WassersteinGANLoss and GradientPenalty; see configs/wgan_gp',
    'SNGANGenerator': 'ResNetGenerator(latent_dim=128, image_shape=...); see configs/sngan',
    'ProjDiscriminator': "ResNetDiscriminator(num_classes=..., conditioning='projection')",
    'StyleGANv2Generator': 'StyleGAN2Generator(image_shape=...); see configs/stylegan2',
    'StyleGANv2Discriminator StyleGAN2AuxDiscriminator ADAStyleGAN2Discriminator': (
        'StyleGAN2Discriminator(image_shape=...); see configs/stylegan2'
    ),
    'UnetGenerator': (
        'UNetTranslator(in_channels=3, out_channels=3, levels=8, base_channels=64), with levels '
        "for num_down and norm='batch' for norm_cfg"
    ),
    'ResnetGenerator': (
        'ResNetTranslator(in_channels=3, out_channels=3, base_channels=64, num_blocks=9), with '
        "norm='instance' for norm_cfg"
    ),
    'GeneratorPathRegularizer GeneratorPathRegularizerComps': (
        'PathLengthRegularizer(weight=2.0, interval=4) under regularizers of the GAN; '
        'weight is loss_weight / interval'
    ),
    'FrechetInceptionDistance FID': (
        "FrechetDistance() in a GANEvaluator with extractor=dict(type='InceptionV3')"
    ),
    'MS_SSIM MultiScaleStructureSimilarity': 'MSSSIM(num_images=10_000) in a GANEvaluator',
    'SWD': 'SlicedWassersteinDistance(num_images=8192) in a GANEvaluator',
    'PPL': (
        "PerceptualPathLength(space='w', sampling='end', num_pairs=50_000, epsilon=1e-4) in a "
        'GANEvaluator; its distance is that of the extractor, not LPIPS'
    ),
}
OLD_NAMES = {old: new for names, new in _REPLACEMENTS.items() for old in names.split()}


def check_name(name: str) -> None:
    """Raise if this is a name of MMGeneration or MMagic.

    Raises:
        ValueError: If it is; the message has the new name and its arguments.

    Example:
        >>> check_name('GAN')
        >>> check_name("FID")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: 'FID' is a name of MMGeneration or MMagic. Write FrechetDistance() ...
    """
    if name in OLD_NAMES:
        raise ValueError(f'{name!r} is a name of MMGeneration or MMagic. Write {OLD_NAMES[name]}.')


class _MovedModuleFinder:
    """Finder and loader of old modules, which get the names of the new ones.

    Without the base classes of ``importlib.abc``, which are slow to import.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not new_modules(fullname):
            return None
        return ModuleSpec(fullname, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        found = new_modules(module.__name__)
        text = f'{module.__name__} has moved: import from {" or ".join(found)}.'
        warnings.warn(text, DeprecationWarning, stacklevel=2)
        for name in reversed(found):
            new = vars(importlib.import_module(name))
            module.__dict__.update({k: v for k, v in new.items() if not k.startswith('__')})


def new_modules(name: str) -> list[str]:
    """Where a module of this package has moved to; none if it has not.

    Example:
        >>> new_modules('mmgan_lite.models.generators.mlp')
        ['mmgan_lite.models.networks.mlp']
    """
    package, _, old = name.partition('.')
    moved = [module for module in _MOVED_MODULES if f'{old}.'.startswith(f'{module}.')]
    if package != 'mmgan_lite' or not moved:
        return []
    nearest = max(moved, key=len)
    rest = old.removeprefix(nearest)
    new = _MOVED_MODULES[nearest][:1] if rest else _MOVED_MODULES[nearest]
    return [f'{package}.{module}{rest}' for module in new]


def redirect_moved_modules() -> None:
    """Keep old import paths working; called once, when the package is imported."""
    sys.meta_path.append(_MovedModuleFinder())


def either_name(new: str, value: Any, old_value: Any, old: str = 'old_checkpoint') -> Any:
    """The value of an argument that also has a former name; warns if that one was used.

    Args:
        new: Its name.
        value: Under its name.
        old_value: Under its former name; None or False if it is not given.
        old: Its former name.
    """
    if old_value is None or old_value is False:
        return value
    warnings.warn(f'{old} is called {new} now.', FutureWarning, stacklevel=3)
    return old_value


# Hooks of the default runtime that are parts of others now: key, type, and where they are.
_PARTS = {
    'data_placement': ('DataPlacementHook', "setup_check=dict(type='SetupCheckHook')"),
    'corrupt_images': ('CorruptImageHook', "setup_check=dict(type='SetupCheckHook')"),
    'non_finite_guard': ('NonFiniteGuardHook', "health=dict(type='GANHealthHook', guard=dict())"),
    'provenance': ('ProvenanceHook', "checkpoint=dict(type='GANCheckpointHook')"),
    'safe_checkpoint': ('SafeCheckpointHook', "checkpoint=dict(type='GANCheckpointHook')"),
    'evaluation_log': ('EvaluationLogHook', "runtime_info=dict(type='DeferredLogHook')"),
}


def former_hooks(cfg: Any) -> list[str]:
    """Find hooks of ``default_hooks`` that are parts of other ones now; they work all the same.

    Adds the type where there are only arguments, which were once merged with that of a ``_base_``.

    Args:
        cfg: A config, changed in place.

    Returns:
        For each hook a sentence that says where it is now.
    """
    hooks = cfg.get('default_hooks')
    notes = []
    for key, (kind, place) in _PARTS.items():
        if isinstance(hooks, dict) and isinstance(hooks.get(key), dict):
            hooks[key].setdefault('type', f'mmgan_lite.{kind}')
            text = f'{kind} is in {place} now, with its arguments. It works here, too.'
            notes.append(f'default_hooks.{key}: {text}')
    return notes
