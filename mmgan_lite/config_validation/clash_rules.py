"""Settings of the model that do not go with the data; each is right by itself."""

from typing import Any

from mmgan_lite.config_validation.data_rules import image_shape_of
from mmgan_lite.config_validation.walk import ConfigWalk


def check_images(walk: ConfigWalk, model: Any, dataset: Any) -> None:
    """Check that the networks are made for the images and classes of the data.

    Args:
        walk: Through the config.
        model: On the meta device; None, or no GAN, is passed over.
        dataset: Training data that is not loaded, or None.
    """
    shape = getattr(model, 'image_shape', None)
    if shape is None or dataset is None:
        return
    data = image_shape_of(dataset)
    if data is not None and tuple(shape) != data:
        walk.note(
            'train_dataloader.dataset',
            f'has images of {data}, but image_shape of the networks is {tuple(shape)}. '
            f'Build both networks with image_shape={data}.',
        )
    classes = getattr(dataset, 'metainfo', {}).get('classes') or ()
    if model.num_classes is not None and len(classes) > model.num_classes:
        walk.note(
            'model.generator.num_classes',
            f'must be at least {len(classes)}, the number of classes in the data, got '
            f'{model.num_classes}. Build both networks with num_classes={len(classes)}.',
        )


def check_average(walk: ConfigWalk, model: Any, optim_wrapper: Any) -> None:
    """Check that an average over images counts those of a batch.

    Args:
        walk: Through the config.
        model: On the meta device; None, or no GAN, is passed over.
        optim_wrapper: For the model, or None.
    """
    batch_size = walk.setting('train_dataloader', 'batch_size')
    if optim_wrapper is None or type(batch_size) is not int or not hasattr(model, 'check_average'):
        return
    try:
        model.check_average(optim_wrapper, batch_size)
    except ValueError as error:
        walk.note('model.ema', str(error))
