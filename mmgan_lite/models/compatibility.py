"""Whether the parts of a GAN fit together."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmgan_lite.models.layers import MinibatchStddev
from mmgan_lite.models.losses import Regularizer
from mmgan_lite.utils.interfaces import GivesImagesBack, HasClassifier, TakesOnePass


def check_parts(
    generator: nn.Module,
    discriminator: nn.Module,
    loss: object,
    auxiliary_losses: Iterable[Any],
    data_preprocessor: nn.Module,
    ema: object,
) -> None:
    """Check what a GAN is built of.

    Raises:
        ValueError: If a part lacks what another needs.
    """
    if not isinstance(data_preprocessor, GivesImagesBack):
        raise ValueError(
            'data_preprocessor must turn images back by to_uint8, but '
            f'{type(data_preprocessor).__name__} cannot. Derive it from ImageBatchPreprocessor.'
        )
    if ema is not None and not isinstance(ema, Mapping):
        raise ValueError(
            f'ema must be a config or None, got {type(ema).__name__}. '
            "Pass ema=dict(type='ExponentialMovingAverage', momentum=1e-3)."
        )
    names = ('latent_dim', 'image_shape', 'num_classes')
    _require('generator', generator, names, 'Set self.{name} in its __init__.')
    names = ('discriminator', 'generator', 'needs_real_logits')
    _require('loss', loss, names, 'Derive it from AdversarialLoss.')
    _check_match(generator, discriminator)
    _check_classifier(discriminator, auxiliary_losses)


def check_regularizers(regularizers: Iterable[Any], model: nn.Module) -> None:
    """Check that each regularizer has a penalty on the network of its player.

    Raises:
        ValueError: If one has none.
    """
    for regularizer in regularizers:
        if isinstance(regularizer, Regularizer):
            regularizer.check_network(model.get_submodule(regularizer.player))


def check_batch(
    images: Tensor | None,
    labels: Tensor | None,
    image_shape: Sequence[int],
    num_classes: int | None,
) -> Tensor | None:
    """The labels of a batch that fits the networks; None for an unconditional model.

    Raises:
        ValueError: If there are no images, they are of another shape, or labels are missing.
    """
    if images is None:
        raise ValueError(
            "A GAN trains on images, got a batch without 'inputs'. Give it a dataset of images, or "
            'train a model that translates on source and target.'
        )
    shape = tuple(images.shape[1:])
    if shape != image_shape:
        raise ValueError(
            f'image_shape of the networks must be that of the data, got {image_shape} for images '
            f'of {shape}. Build them with image_shape={shape}, or resize in the dataset.'
        )
    if num_classes is None:
        return None
    if labels is None:
        raise ValueError(
            f'num_classes={num_classes} needs data with labels, got a batch without. '
            'Train on a dataset that has labels, or build the networks with num_classes=None.'
        )
    if len(labels) != len(images):
        raise ValueError(
            f'labels must be one an image, got {len(labels)} for {len(images)} images. '
            'Correct the dataset, or its collate_fn.'
        )
    return labels


def _require(argument: str, part: object, names: Iterable[str], remedy: str) -> None:
    """Raise ``ValueError`` if a part lacks an attribute."""
    for name in names:
        if not hasattr(part, name):
            raise ValueError(
                f'{argument} must have {name}, but {type(part).__name__} has no such attribute. '
                f'{remedy.format(name=name)}'
            )


def _check_match(generator: nn.Module, discriminator: nn.Module) -> None:
    """Raise ``ValueError`` if a discriminator has other images or labels than the generator."""
    for name in ('image_shape', 'num_classes'):
        if not hasattr(discriminator, name):
            continue
        wanted, found = (
            tuple(value) if isinstance(value, Sequence) else value
            for value in map(operator.attrgetter(name), (generator, discriminator))
        )
        if wanted != found:
            raise ValueError(
                f'{name} of generator and discriminator must be the same, got '
                f'{name}={wanted!r} of {type(generator).__name__} and {name}={found!r} of '
                f'{type(discriminator).__name__}. Set both to {name}={wanted!r}.'
            )


def takes_one_pass(discriminator: nn.Module) -> bool:
    """Whether a discriminator takes real images and fakes together.

    Raises:
        ValueError: If its logit of an image depends on the others of the batch.
    """
    if not (isinstance(discriminator, TakesOnePass) and discriminator.one_pass):
        return False
    for name, module in discriminator.named_modules():
        if isinstance(module, (_BatchNorm, MinibatchStddev)):
            raise ValueError(
                'one_pass must be False for a discriminator whose logit of an image depends on '
                f'the others of the batch, got True of {type(discriminator).__name__}, which has '
                f'{type(module).__name__} in {name!r}. Set self.one_pass = False.'
            )
    return True


def has_classifier(discriminator: nn.Module) -> bool:
    """Whether a discriminator can also classify."""
    return isinstance(discriminator, HasClassifier) and discriminator.has_classifier


def _check_classifier(discriminator: nn.Module, losses: Iterable[Any]) -> None:
    """Raise ``ValueError`` unless a classifier and its loss come together."""
    network, classifies = type(discriminator).__name__, has_classifier(discriminator)
    needed = any(loss.needs_classes for loss in losses)
    if needed and not classifies:
        raise ValueError(
            f'auxiliary_loss needs a discriminator that classifies, but {network} has no '
            "classifier. Build it with conditioning='classifier', or set auxiliary_loss=None."
        )
    if classifies and not needed:
        raise ValueError(
            f'auxiliary_loss must be given where the discriminator has a classifier, as {network} '
            "has. Add auxiliary_loss=dict(type='AuxiliaryClassifierLoss')."
        )
