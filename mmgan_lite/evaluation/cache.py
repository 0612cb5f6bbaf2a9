"""Features of real images, which do not change from one evaluation to the next.

The key of an image is a digest of its pixels. So neither the order of a data set matters, nor the
number of processes, nor whether images were left out or changed. The name of a file has a
fingerprint of the extractor's weights; its code may differ too, so the first images are extracted
again for comparison.
"""

import contextlib
import hashlib
import logging
import os
import re
import uuid
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from mmengine.logging import print_log
from torch import Tensor

from mmgan_lite.evaluation.extraction import extract
from mmgan_lite.evaluation.extractors import Extracted, FeatureExtractor

_FORMAT = '1'
_DIGEST_BYTES = 16
# Images whose features are compared with those in a file, and how far they may differ: another
# device or batch size changes the last digits.
_PROOFS = 4
_TOLERANCE = 1e-3


class FeatureCache:
    """The features of one data set through one extractor, in memory and in a file.

    Args:
        folder: Folder of the file; made when something is saved.
        data: Name of the data set and shape, such as 'MNIST test 1x28x28'.
        extractor: Its name and fingerprint are in the name of the file and in it.
    """

    def __init__(self, folder: Path, data: str, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        name = f'{data} {extractor.name} {extractor.fingerprint[:12]}'
        self.path = folder / f'{re.sub("[^A-Za-z0-9._]+", "-", name)}.safetensors'
        self._identity = dict(
            format=_FORMAT, extractor=extractor.name, fingerprint=extractor.fingerprint
        )
        # One entry an image.
        self._rows: dict[bytes, Extracted] = {}
        self._load()
        self._is_proven = not self._rows

    def look_up(self, images: Tensor) -> tuple[Tensor, Extracted, bool]:
        """Features of uint8 images; unknown ones are extracted.

        Returns:
            Digests, uint8 ``(N, 16)``; features and logits, on the CPU; whether any was unknown.
        """
        digests = image_digests(images)
        keys = [row.tobytes() for row in digests.numpy()]
        if not self._is_proven:
            self._prove(images, keys)
        unknown = [index for index, key in enumerate(keys) if key not in self._rows]
        if unknown:
            found = extract(self._extractor, images[unknown])
            for row, index in enumerate(unknown):
                logits = None if found.logits is None else found.logits[row]
                self._rows[keys[index]] = Extracted(found.features[row], logits)
        return digests, _stack([self._rows[key] for key in keys]), bool(unknown)

    def _prove(self, images: Tensor, keys: list[bytes]) -> None:
        """Extract a few known images again, and drop all that was loaded if they differ.

        The fingerprint covers the weights; what ``forward`` does with them shows only here.
        """
        known = [index for index, key in enumerate(keys) if key in self._rows][:_PROOFS]
        if not known:
            return
        self._is_proven = True
        loaded = _stack([self._rows[keys[index]] for index in known])
        if not _agree(loaded, extract(self._extractor, images[known])):
            self._rows = {}
            _warn(f"The cache '{self.path}' is not what the extractor gives now: it is replaced.")

    def save(self, digests: Tensor, extracted: Extracted) -> None:
        """Replace the file by these rows, atomically.

        A folder that cannot be written to gives a warning, and no error.
        """
        tensors = dict(digests=digests, features=extracted.features)
        if extracted.logits is not None:
            tensors['logits'] = extracted.logits
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        content = safetensors.torch.save(
            tensors, metadata={**self._identity, 'sha256': _content_hash(tensors)}
        )
        partial = self.path.with_name(f'{self.path.name}.{uuid.uuid4().hex[:8]}')
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_bytes(content)
            os.replace(partial, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink()
            _warn(f"Features could not be cached in '{self.path}' ({error}); set cache_dir.")

    def _load(self) -> None:
        if not self.path.is_file():
            return
        try:
            with safetensors.safe_open(self.path, 'pt') as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, ValueError, safetensors.SafetensorError) as error:
            _warn(f"The cache '{self.path}' is damaged ({error}): it is replaced.")
            return
        sha256 = metadata.pop('sha256', None)
        if metadata != self._identity:
            _warn(f"The cache '{self.path}' is of another extractor or format: it is replaced.")
        elif sha256 != _content_hash(tensors):
            _warn(f"The cache '{self.path}' is damaged (its sha256 differs): it is replaced.")
        else:
            logits = tensors.get('logits', [None] * len(tensors['digests']))
            keys = (row.tobytes() for row in tensors['digests'].numpy())
            rows = map(Extracted, tensors['features'], logits)
            self._rows = dict(zip(keys, rows, strict=True))


def image_digests(images: Tensor) -> Tensor:
    """A digest of shape and pixels of each uint8 image ``(N, C, H, W)``: uint8 ``(N, 16)``."""
    shape = str(tuple(images.shape[1:])).encode()
    digests = [
        hashlib.blake2b(image.tobytes(), digest_size=_DIGEST_BYTES, key=shape).digest()
        for image in images.cpu().numpy()
    ]
    return torch.frombuffer(bytearray(b''.join(digests)), dtype=torch.uint8).view(-1, _DIGEST_BYTES)


def _stack(rows: list[Extracted]) -> Extracted:
    logits = [row.logits for row in rows if row.logits is not None]
    return Extracted(
        torch.stack([row.features for row in rows]), torch.stack(logits) if logits else None
    )


def _agree(first: Extracted, second: Extracted) -> bool:
    """Whether two are equal but for rounding; NaN never is."""
    for left, right in zip(first, second, strict=True):
        if left is None or right is None:
            if left is not right:
                return False
        elif left.shape != right.shape or not (left - right).norm() <= _TOLERANCE * left.norm():
            return False
    return True


def _content_hash(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f'{name} {tuple(tensor.shape)}'.encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()


def _warn(message: str) -> None:
    print_log(message, 'current', logging.WARNING)
