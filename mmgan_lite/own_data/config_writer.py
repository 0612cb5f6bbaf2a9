"""A plan as the text of an ordinary config, with the reasons as comments."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmgan_lite.own_data.planning import Choice, Networks, choose_momentum

_WIDTH = 98
_MAX_CODE = 60
_COMMENTED = (
    *('size', 'channels', 'classes', 'data', 'augmentation', 'networks', 'precision'),
    *('validation', 'iterations'),
)
_TEMPLATE = """\
# Written by mmgan-lite train --data. It can be edited, and trained again with
#     mmgan-lite train {path}
_base_ = __import__('mmgan_lite').config_path('_base_/default_runtime.py')
work_dir = {work_dir!r}
# What was asked for: train --data compares it.
_request = {request}

{size}
{channels}
_image_shape = {image_shape}
{classes}
_num_classes = {num_classes}

{data}
_dataset = {dataset}
train_dataloader = dict(
    batch_size={batch_size},
    num_workers={num_workers},
    persistent_workers={persistent},
    pin_memory={pin_memory},
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=_dataset,
)

{networks}
model = dict(
    type='GAN',
    generator=dict(
        type='ResizeConvGenerator',
        latent_dim={latent_dim},
        image_shape=_image_shape,
        channels={generator},
        num_classes=_num_classes,
    ),
    discriminator=dict(
        type='ResizeConvDiscriminator',
        image_shape=_image_shape,
        channels={discriminator},
        num_classes=_num_classes,
    ),
    loss=dict(type='RelativisticPairingGANLoss'),
    regularizers=[
        dict(type='R1Regularizer', weight={penalty}, interval=16),
        dict(type='R2Regularizer', weight={penalty}, interval=16),
    ],
    {augmentation}
    augmentation={augmentation_config},
    ema=dict(type='ExponentialMovingAverage', momentum={momentum}, warm_up=True),
    channels_last=True,{data_preprocessor}
)

{iterations}
_iterations = {num_iterations}
train_cfg = dict(by_epoch=False, max_iters=_iterations{val_interval})
{precision}
_network = dict(
    dtype={dtype!r}, optimizer=dict(type='Adam', lr={rate}, betas=(0.0, 0.99), fused=True)
)
optim_wrapper = dict(
    constructor='MultiOptimWrapperConstructor', generator=_network, discriminator=_network
)
# For both networks: constant in the first half, then linear decay to 2 %.
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1.0,
        end_factor=0.02,
        by_epoch=False,
        begin=_iterations // 2,
        end=_iterations,
    )
]
default_hooks = dict(
    logger=dict(interval=-(-_iterations // 20)),
    samples=dict(interval=-(-_iterations // 20)),
    checkpoint=dict(interval=-(-_iterations // 5)),
)

{validation}
"""
_DEEP = """
    data_preprocessor=dict(type='ImageBatchPreprocessor', bit_depth=16),"""
_VALIDATION = """
val_cfg = dict()
val_dataloader = dict(
    batch_size=50,
    num_workers=0,
    sampler=dict(type='SpreadSampler', num_samples={num_scored}),
    dataset=_dataset,
)
val_evaluator = dict(
    type='GANEvaluator',
    extractor=dict(type='InceptionV3'),
    metrics=[dict(type='FrechetDistance')],
    num_samples={num_scored},
)
"""


@dataclass(frozen=True)
class Plan:
    """All that the config of a training needs.

    Args:
        request: What was asked for, numbers and texts by name.
        path: Of the config, for the comment that names it.
        work_dir: Of the training.
        dataset: Config of the training data.
        num_workers: Processes that read it.
        on_gpu: Whether the training is on a GPU.
        image_shape: Channels, height and width.
        num_classes: Of the labels; None without.
        networks: Their sizes, and how to train them.
        batch_size: Images in an iteration.
        augmentation: Config of it, or None.
        dtype: 'bfloat16', or None for float32.
        iterations: Of the training.
        num_scored: Images of each evaluation; 0 for no evaluation.
        choices: What was chosen and why, by name: 'size', 'channels', ...
    """

    request: Mapping[str, Any]
    path: str
    work_dir: str
    dataset: Mapping[str, Any]
    num_workers: int
    on_gpu: bool
    image_shape: tuple[int, int, int]
    num_classes: int | None
    networks: Networks
    batch_size: int
    augmentation: Mapping[str, Any] | None
    choices: Mapping[str, Choice]
    dtype: str | None = None
    num_scored: int = 0
    iterations: int = 1


def config_text(plan: Plan) -> str:
    """The config: Python that MMEngine reads, and a person too."""
    comments = {
        name: _comment(name, plan.choices[name]) if name in plan.choices else ''
        for name in _COMMENTED
    }
    comments['augmentation'] = textwrap.indent(comments['augmentation'], '    ').strip()
    if plan.num_scored:
        comments['validation'] += _VALIDATION.format(num_scored=plan.num_scored)
    text = _TEMPLATE.format(
        **comments,
        path=plan.path,
        work_dir=plan.work_dir,
        request=_code(plan.request),
        image_shape=plan.image_shape,
        num_classes=plan.num_classes,
        dataset=_code(plan.dataset),
        batch_size=plan.batch_size,
        num_workers=plan.num_workers,
        persistent=plan.num_workers > 0,
        pin_memory=plan.on_gpu,
        latent_dim=plan.networks.latent_dim,
        generator=plan.networks.channels,
        discriminator=plan.networks.channels[::-1],
        penalty=plan.networks.penalty,
        augmentation_config=_code(plan.augmentation),
        momentum=choose_momentum(plan.iterations),
        num_iterations=plan.iterations,
        val_interval=', val_interval=-(-_iterations // 5)' if plan.num_scored else '',
        data_preprocessor=_DEEP if plan.request['bit_depth'] == 16 else '',
        dtype=plan.dtype,
        rate=plan.networks.rate,
    )
    return f'{text.rstrip()}\n'


def _comment(name: str, choice: Choice) -> str:
    text = f'{name.capitalize()}: {choice.text}; {choice.reason}.'
    prefix = '# '
    return textwrap.fill(
        text, _WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False
    )


def _code(value: Any) -> str:
    """A literal, with dicts as a config has them; a long one has a line for each entry."""
    if not isinstance(value, Mapping):
        return repr(value)
    entries = [f'{key}={_code(entry)}' for key, entry in value.items()]
    short = f'dict({", ".join(entries)})'
    if len(short) <= _MAX_CODE:
        return short
    lines = ''.join(f'    {entry},\n' for entry in entries)
    return f'dict(\n{lines})'
