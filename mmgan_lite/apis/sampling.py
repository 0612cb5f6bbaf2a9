"""Load a trained GAN and draw from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from mmgan_lite.models import GAN
from mmgan_lite.registry import MODELS, build_part

# A fixed size makes an image depend on its seed and index alone: linear algebra libraries round
# differently in batches of different sizes.
_CHUNK = 64


def load_gan(config: Mapping, checkpoint: str | Path, device: str = 'cpu') -> GAN:
    """Build the model of a config and load its weights; no dataset is needed.

    Args:
        config: The whole config, with ``model``.
        checkpoint: A file that training wrote. It is read without running code from it.
        device: Where the model goes, such as 'cpu' or 'cuda'.

    Returns:
        The model, in eval mode.

    Raises:
        ValueError: If the file is missing, no checkpoint, holds code, or is of another model.
    """
    state = _read_checkpoint(Path(checkpoint))
    model = build_part(MODELS, config['model'], 'model')
    _check_same_model(state, model.state_dict(), checkpoint)
    model.load_state_dict(state)
    return model.to(device).eval()


def _check_same_model(found: Mapping, expected: Mapping, checkpoint: str | Path) -> None:
    """Raise unless both have the same keys and shapes; the first that differ are named."""
    differing = [
        f'{name} ({_shape(found, name)} in the file, {_shape(expected, name)} in the model)'
        for name in {**expected, **found}
        if _shape(found, name) != _shape(expected, name)
    ]
    if differing:
        raise ValueError(
            f'checkpoint must be of the model in the config, but {str(checkpoint)!r} differs in '
            f'{len(differing)} keys, such as {", ".join(differing[:3])}. '
            'Pass the config that it was trained with.'
        )


def _shape(state: Mapping, name: str) -> str:
    return str(tuple(state[name].shape)) if name in state else 'absent'


def _read_checkpoint(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise ValueError(f'checkpoint must be a file, but {str(path)!r} is none. Check the path.')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # a damaged file makes torch.load raise nearly anything
        raise ValueError(
            f'checkpoint {str(path)!r} is damaged, or holds objects that could run code '
            f'({type(error).__name__}: {str(error).partition(chr(10))[0]}). '
            'Train with SafeCheckpointHook, which writes plain tensors and numbers.'
        ) from error
    if not isinstance(state, dict) or not isinstance(state.get('state_dict'), Mapping):
        raise ValueError(
            f"checkpoint {str(path)!r} has no 'state_dict'. Pass a file that training wrote."
        )
    return dict(state['state_dict'])


def draw_images(
    model: GAN,
    num: int,
    seed: int = 0,
    labels: Sequence[int] | None = None,
    use_ema: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """Draw uint8 images; image i of a seed is the same whatever ``num`` is.

    Args:
        model: A trained GAN.
        num: How many, at least 1.
        seed: Of the latents, and of the labels where they are drawn.
        labels: Classes, taken in turn until there are ``num``; None draws them at random where the
            model is conditional.
        use_ema: Whether to draw from the average of the weights, where there is one.

    Returns:
        Images, uint8 ``(num, C, H, W)``, and their labels, int64 ``(num,)`` or None, on the CPU.

    Raises:
        ValueError: If ``num`` or a label is out of its range, or the model has no classes.
    """
    if num < 1:
        raise ValueError(f'num must be at least 1, got {num}. Pass num=64 for a grid of 8 by 8.')
    if labels is not None and model.num_classes is None:
        raise ValueError(
            f'labels must be None for a model without classes, got {list(labels)}. '
            'Train a conditional model to choose classes.'
        )
    if labels is not None and len(labels) == 0:
        raise ValueError('labels must name at least one class, got none. Pass labels=[3, 7].')
    latents, drawn = _draw_inputs(model, num, seed)
    chosen = drawn if labels is None else [labels[i % len(labels)] for i in range(num)]

    chunks = []
    for start in range(0, num, _CHUNK):
        part = slice(start, start + _CHUNK)
        chunk = latents[part]
        padding = _CHUNK - len(chunk)
        padded = torch.cat([chunk, chunk[:1].expand(padding, -1)])
        padded_labels = None
        if chosen is not None:
            padded_labels = [*chosen[part], *(chosen[start],) * padding]
        images = model.sample(_CHUNK, labels=padded_labels, latents=padded, use_ema=use_ema)
        chunks.append(model.data_preprocessor.to_uint8(images[: len(chunk)]).cpu())
    return torch.cat(chunks), None if chosen is None else torch.tensor(chosen)


def _draw_inputs(model: GAN, num: int, seed: int) -> tuple[Tensor, list[int] | None]:
    """Latents and random labels, one image at a time, so that more of them change none before."""
    generator = torch.Generator().manual_seed(seed)
    latents, labels = [], []
    for _ in range(num):
        latents.append(model.sample_latents(1, generator).cpu())
        if model.num_classes is not None:
            labels.append(int(torch.randint(model.num_classes, (1,), generator=generator)))
    return torch.cat(latents), labels or None
