"""Names of MMGeneration and MMagic, and what their parts are called here.

Both had the GANs of the MM world before; a config that comes from there names parts that are not
here under that name. A look-up of one is answered with the name here.
"""

import warnings
from typing import Any

_LOSS = (
    'NonSaturatingGANLoss() under loss of the GAN, for gan_type vanilla and wgan-logistic-ns; '
    'LeastSquaresGANLoss(), half as large, for lsgan; WassersteinGANLoss() for wgan; '
    'HingeGANLoss() for hinge; label_smoothing is 1 - real_label_val'
)
_R1 = (
    'R1Regularizer(weight=10.0, interval=1) under regularizers of the GAN; '
    'for norm_mode HWC, weight is 2 * loss_weight / interval'
)
_GRADIENT_PENALTY = (
    'GradientPenalty(weight=10.0, interval=1) under regularizers of the GAN; '
    'for norm_mode HWC, weight is loss_weight'
)
_DRIFT = (
    'DriftRegularizer(weight=0.001, interval=1) under regularizers of the GAN, '
    'which is on the real logits alone; weight is loss_weight'
)
_GAN = (
    'GAN(generator, discriminator, loss, ema=None, discriminator_steps=1, generator_steps=1); '
    'noise_size is latent_dim of the generator here'
)
_OPTIMISERS = (
    'MultiOptimWrapperConstructor with generator=dict(optimizer=...), '
    'discriminator=dict(optimizer=...) beside it in optim_wrapper'
)
_PREPROCESSOR = 'ImageBatchPreprocessor(), which scales uint8 images to [-1, 1]; no mean, no std'
_VISUALIZATION = 'SampleVisualizationHook(interval=1000, by_epoch=False, num_samples=64, seed=0)'
_EMA = (
    "ema=dict(type='ExponentialMovingAverage', momentum=...) of the GAN; "
    'momentum is 1 - decay, 0.001 for a decay of 0.999'
)
_FID = (
    "FrechetDistance() among the metrics of a GANEvaluator with extractor=dict(type='InceptionV3')"
)

OLD_NAMES = {
    'GenVisualizationHook': _VISUALIZATION,
    'VisualizationHook': _VISUALIZATION,
    'BasicVisualizationHook': _VISUALIZATION,
    'VisualizeUnconditionalSamples': _VISUALIZATION,
    'GANDataPreprocessor': _PREPROCESSOR,
    'GenDataPreprocessor': _PREPROCESSOR,
    'DataPreprocessor': _PREPROCESSOR,
    'GenOptimWrapperConstructor': _OPTIMISERS,
    'PGGANOptimWrapperConstructor': _OPTIMISERS,
    'GANLoss': _LOSS,
    'GANLossComps': _LOSS,
    'BaseGAN': _GAN,
    'BaseConditionalGAN': _GAN,
    'StaticUnconditionalGAN': _GAN,
    'BasicConditionalGAN': _GAN,
    'UnconditionalImageDataset': (
        'ImageFolderDataset(data_root=..., image_size=...) for files, '
        'or a subclass of InMemoryImageDataset, which overrides load_images'
    ),
    'RampUpEMA': _EMA,
    'ExponentialMovingAverageHook': _EMA,
    'R1GradientPenalty': _R1,
    'R1GradientPenaltyComps': _R1,
    'GradientPenaltyLoss': _GRADIENT_PENALTY,
    'GradientPenaltyLossComps': _GRADIENT_PENALTY,
    'DiscShiftLoss': _DRIFT,
    'DiscShiftLossComps': _DRIFT,
    'DCGAN': 'GAN with DCGANGenerator and DCGANDiscriminator; see configs/dcgan',
    'LSGAN': 'GAN with LeastSquaresGANLoss; see configs/lsgan',
    'WGANGP': 'GAN with WassersteinGANLoss and GradientPenalty; see configs/wgan_gp',
    'SNGANGenerator': 'ResNetGenerator(latent_dim=128, image_shape=...); see configs/sngan',
    'ProjDiscriminator': (
        "ResNetDiscriminator(num_classes=..., conditioning='projection'); see configs/sngan"
    ),
    'FrechetInceptionDistance': _FID,
    'FID': _FID,
}


def check_name(name: str) -> None:
    """Raise if this is an old name.

    Raises:
        ValueError: With our name and its arguments.

    Example:
        >>> check_name('GAN')
        >>> check_name("FID")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        ValueError: 'FID' is a name of MMGeneration or MMagic. Write FrechetDistance() ...
    """
    if name in OLD_NAMES:
        raise ValueError(f'{name!r} is a name of MMGeneration or MMagic. Write {OLD_NAMES[name]}.')


def either_name(new: str, value: bool, old_value: bool, old: str = 'old_checkpoint') -> bool:
    """The value of a flag that also has a former name; warns if that one was used.

    Args:
        new: Its name.
        value: Under its name.
        old_value: Under its former name.
        old: Its former name.
    """
    if old_value:
        warnings.warn(f'{old} is called {new} now.', FutureWarning, stacklevel=3)
    return value or old_value


# Hooks of the default runtime that are parts of others now: key, type, and where they are.
_PARTS = {
    'data_placement': ('DataPlacementHook', "setup_check=dict(type='SetupCheckHook')"),
    'corrupt_images': ('CorruptImageHook', "setup_check=dict(type='SetupCheckHook')"),
    'non_finite_guard': (
        'NonFiniteGuardHook',
        "health=dict(type='GANHealthHook', guard=dict(...)), with its arguments in guard",
    ),
    'provenance': ('ProvenanceHook', "checkpoint=dict(type='GANCheckpointHook')"),
    'safe_checkpoint': (
        'SafeCheckpointHook',
        "checkpoint=dict(type='GANCheckpointHook', ...), which takes its arguments",
    ),
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
            notes.append(f'default_hooks.{key}: {kind} is in {place} now. It works here, too.')
    return notes
