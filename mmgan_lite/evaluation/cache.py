"""Features of real images, which do not change from one evaluation to the next.

The key of an image is a digest of its pixels. So neither the order of a data set matters, nor the
number of processes, nor whether images were left out or changed. The name of a file has a
fingerprint of the extractor's weights; its code may differ too, so the first images are extracted
again for comparison.
"""

import hashlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor
from mmgan_lite.utils.atomic_io import atomic_write
from mmgan_lite.utils.image_batch import (
    BOTH_DEPTHS,
    join_columns,
    real_images,
    stack_images,
    stack_labels,
    to_8_bits,
)

TO_UINT8 = "Convert floats by the model's data_preprocessor.to_uint8."

_BATCH = 250
_DIGEST_BYTES = 16
# Images whose features are compared with those in a file, and how far they may differ: another
# device or batch size changes the last digits.
_PROOFS = 4
_TOLERANCE = 1e-3


class FeatureCache:
    """The features of one data set through one extractor, in memory and in a file.

    Args:
        folder: Folder of the file; made when something is saved.
        data: Name of the data set, such as 'MNIST test'.
        image_shape: Channels, height and width.
        extractor: Its name and fingerprint are in the name of the file and in it.
    """

    def __init__(
        self, folder: Path, data: str, image_shape: tuple[int, ...], extractor: FeatureExtractor
    ) -> None:
        self._extractor = extractor
        shape = 'x'.join(map(str, image_shape))
        name = f'{data} {shape} {extractor.name} {extractor.fingerprint[:12]}'
        self.path = folder / f'{re.sub("[^A-Za-z0-9._]+", "-", name)}.safetensors'
        self._about = dict(format='1', extractor=extractor.name, fingerprint=extractor.fingerprint)
        # One entry an image.
        self._rows: dict[bytes, Extracted] = {}
        self._has_new = False
        self._load()
        self._is_proven = not self._rows

    def look_up(self, images: Tensor) -> tuple[Tensor, Extracted]:
        """Features of uint8 images; unknown ones are extracted.

        Returns:
            Digests, uint8 ``(N, 16)``; features and logits, on the CPU.
        """
        digests = image_digests(images)
        keys = _keys(digests)
        if not self._is_proven:
            self._prove(images, keys)
        unknown = [index for index, key in enumerate(keys) if key not in self._rows]
        if unknown:
            self._add(digests[unknown], self._extractor.extract(images[unknown]))
            self._has_new = True
        return digests, self._stack(keys)

    def read(self, dataset: Any, positions: range | list[int]) -> list[Any]:
        """Features, logits and labels of some images of a data set; saves the features."""
        rows = []
        for images, labels in read_batches(dataset, positions):
            digests, found = self.look_up(images)
            rows.append((*found, labels, digests))
        features, logits, labels, digests = join_columns(rows)
        self.save(digests, features, logits)
        return [features, logits, labels]

    def _add(self, digests: Tensor, found: Extracted) -> None:
        logits = [None] * len(digests) if found.logits is None else found.logits
        self._rows.update(zip(_keys(digests), map(Extracted, found.features, logits), strict=True))

    def _stack(self, keys: list[bytes]) -> Extracted:
        return Extracted(*join_columns([self._rows[key] for key in keys], torch.stack))

    def _prove(self, images: Tensor, keys: list[bytes]) -> None:
        """Extract a few known images again, and drop all that was loaded if they differ.

        The fingerprint covers the weights; what ``forward`` does with them shows only here.
        """
        known = [index for index, key in enumerate(keys) if key in self._rows][:_PROOFS]
        if not known:
            return
        self._is_proven = True
        found = self._extractor.extract(images[known])
        if not _agree(self._stack([keys[index] for index in known]), found):
            self._rows = {}
            _warn(f"The cache '{self.path}' is not what the extractor gives now: it is replaced.")

    def save(self, digests: Tensor, features: Tensor, logits: Tensor | None) -> None:
        """Replace the file by these rows, atomically, if any was not in it.

        A folder that cannot be written to gives a warning, and no error.
        """
        if not self._has_new:
            return
        self._has_new = False
        tensors = dict(digests=digests.contiguous(), features=features.contiguous())
        if logits is not None:
            tensors['logits'] = logits.contiguous()
        metadata = {**self._about, 'sha256': _content_hash(tensors)}
        try:
            with atomic_write(self.path) as temporary:
                temporary.write_bytes(safetensors.torch.save(tensors, metadata))
        except OSError as error:
            _warn(f"Features could not be cached in '{self.path}' ({error}); set cache_dir.")

    def _load(self) -> None:
        if not self.path.is_file():
            return
        try:
            with safetensors.safe_open(self.path, 'pt') as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                if file.metadata() != {**self._about, 'sha256': _content_hash(tensors)}:
                    raise ValueError('the sha256, the extractor or the format differs')
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            _warn(f"The cache '{self.path}' is damaged ({error}): it is replaced.")
            return
        self._add(tensors['digests'], Extracted(tensors['features'], tensors.get('logits')))


def read_batches(
    dataset: Any, positions: range | list[int]
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Images, uint8 ``(N, C, H, W)``, and labels of some items of a data set, in batches."""
    for start in range(0, len(positions), _BATCH):
        items = [dataset[i] for i in positions[start : start + _BATCH]]
        stored = [real_images(item) for item in items]
        images = to_8_bits(stack_images(stored, 'inputs', TO_UINT8, BOTH_DEPTHS))
        yield images, stack_labels(item.get('gt_label', item.get('labels')) for item in items)


def image_digests(images: Tensor) -> Tensor:
    """A digest of shape and pixels of each uint8 image ``(N, C, H, W)``: uint8 ``(N, 16)``."""
    shape = str(tuple(images.shape[1:])).encode()
    digests = [
        hashlib.blake2b(image.tobytes(), digest_size=_DIGEST_BYTES, key=shape).digest()
        for image in images.cpu().numpy()
    ]
    return torch.frombuffer(bytearray(b''.join(digests)), dtype=torch.uint8).view(-1, _DIGEST_BYTES)


def _keys(digests: Tensor) -> list[bytes]:
    return [row.tobytes() for row in digests.numpy()]


def _agree(first: Extracted, second: Extracted) -> bool:
    """Whether two are equal but for rounding; NaN never is."""
    left, right = ([tensor for tensor in part if tensor is not None] for part in (first, second))
    if [tensor.shape for tensor in left] != [tensor.shape for tensor in right]:
        return False
    return all((a - b).norm() <= _TOLERANCE * a.norm() for a, b in zip(left, right, strict=True))


def _content_hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f'{name} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.numpy().data)
    return digest.hexdigest()


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
