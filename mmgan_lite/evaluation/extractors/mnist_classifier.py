"""A small classifier of handwritten digits, trained once by ``mmgan-lite train-extractor``.

Its weights come with the package, so evaluating on MNIST needs no download. Inception is trained
on photographs, and its features distinguish digits poorly.
"""

import hashlib
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.validation import check_positive

WEIGHTS = Path(__file__).with_name('mnist_classifier.safetensors')
WEIGHTS_SHA256 = '6f26bf461c1af40bbd5abf7609066d2c189d3ed982c321f01e4dd8173885b69c'
IMAGE_SIZE = 28
NUM_FEATURES = 96
NUM_CLASSES = 10


class DigitNetwork(nn.Module):
    """Five convolutions and two linear layers, 124,282 weights.

    Example:
        >>> import torch
        >>> features, logits = DigitNetwork()(torch.zeros(2, 1, 28, 28))
        >>> features.shape, logits.shape
        (torch.Size([2, 96]), torch.Size([2, 10]))
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(1, 16, kernel_size=5),
            nn.MaxPool2d(2),
            *_convolution(16, 32, kernel_size=3),
            *_convolution(32, 48, kernel_size=3, stride=2),
            *_convolution(48, 64, kernel_size=3),
            *_convolution(64, 16, kernel_size=1),
            nn.Flatten(),
            nn.Linear(16 * (IMAGE_SIZE // 4) ** 2, NUM_FEATURES, bias=False),
            nn.BatchNorm1d(NUM_FEATURES),
            nn.ReLU(),
        )
        self.head = nn.Linear(NUM_FEATURES, NUM_CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(N, 96)`` and logits ``(N, 10)`` of float images ``(N, 1, 28, 28)``."""
        features = self.body(images)
        return features, self.head(features)


def _convolution(in_dim: int, out_dim: int, kernel_size: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(in_dim, out_dim, kernel_size, stride, kernel_size // 2, bias=False)
    return [convolution, nn.BatchNorm2d(out_dim), nn.ReLU()]


def scale_images(images: Tensor) -> Tensor:
    """Images of 0 to 255 to float32 in [-1, 1], the input of the network."""
    return images.float() / 127.5 - 1


@MODELS.register_module()
class MNISTClassifier(FeatureExtractor):
    """96 features and ten classes of digits of 28x28 pixels.

    An image of three channels, a stack of digits, is read channel by channel: its features are
    those of its channels in a row, and its classes are all combinations. A red 4, a green 0 and a
    blue 7 are class 407 of 1,000.

    Args:
        weights: A file that ``mmgan-lite train-extractor`` wrote; None for the one of the package.
        padding: Pixels beyond each edge of the digits, which are cut off, at least 0; 2 for images
            of 32x32 from ``MNISTDataset(padding=2)``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If ``padding`` is no such number, or the file is damaged or holds another
            network.

    Example:
        >>> import torch
        >>> extracted = MNISTClassifier()(torch.zeros(2, 3, 28, 28, dtype=torch.uint8))
        >>> extracted.features.shape, extracted.logits.shape
        (torch.Size([2, 288]), torch.Size([2, 1000]))
    """

    name = 'mnist-classifier'

    def __init__(self, weights: str | Path | None = None, padding: int = 0) -> None:
        super().__init__()
        self.padding = check_positive('padding', padding, minimum=0)
        if padding:
            self.resizing = f'cropped by {padding} pixels at each edge'
        path = WEIGHTS if weights is None else Path(weights).expanduser()
        if not path.is_file():
            raise FileNotFoundError(
                f"weights must be a file, got '{path}'. Make one with mmgan-lite train-extractor, "
                "or pass weights=None for the package's own."
            )
        content = path.read_bytes()
        self.fingerprint = hashlib.sha256(content).hexdigest()
        if weights is None and self.fingerprint != WEIGHTS_SHA256:
            raise ValueError(
                f"'{path}' is damaged: it must have the sha256 {WEIGHTS_SHA256}, got "
                f'{self.fingerprint}. Install mmgan-lite again.'
            )
        self.network = DigitNetwork()
        try:
            self.network.load_state_dict(safetensors.torch.load(content))
        except (RuntimeError, safetensors.SafetensorError) as error:
            raise ValueError(
                f"'{path}' must hold the weights of DigitNetwork by train-extractor: {error}"
            ) from error
        self.freeze()

    def forward(self, images: Tensor) -> Extracted:
        """Features ``(N, 96 C)`` and logits ``(N, 10^C)``.

        Args:
            images: uint8 or float32 ``(N, C, 28, 28)`` of 0 to 255, C 1 or 3, with ``padding``
                beyond each edge.

        Raises:
            ValueError: If the images are of another shape.
        """
        num, channels = images.shape[:2]
        side = IMAGE_SIZE + 2 * self.padding
        if tuple(images.shape[2:]) != (side, side) or channels not in (1, 3):
            raise ValueError(
                f'MNISTClassifier takes images (N, C, {side}, {side}) of gray digits, C = 1, or of '
                f'stacks of three, C = 3, got {tuple(images.shape)}. Choose another extractor for '
                'them, or set padding if there is a border around the digits.'
            )
        inside = slice(self.padding, side - self.padding)
        images = images[:, :, inside, inside]
        features, logits = self.network(scale_images(images.reshape(-1, 1, *images.shape[2:])))
        logits = logits.reshape(num, channels, NUM_CLASSES)
        joint = logits[:, 0]  # of all combinations; the first channel counts most
        for channel in range(1, channels):
            joint = (joint[:, :, None] + logits[:, channel, None]).flatten(1)
        return Extracted(features.reshape(num, channels * NUM_FEATURES), joint)
