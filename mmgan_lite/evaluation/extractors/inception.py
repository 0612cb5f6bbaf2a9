"""The Inception network that FID is defined on, through torch-fidelity."""

from pathlib import Path

from torch import Tensor

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.image_batch import as_rgb, describe_as_rgb


@MODELS.register_module()
class InceptionV3(FeatureExtractor):
    """2,048 features and 1,008 classes of photographs: the network of Szegedy et al. of 2015.

    Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567. Only its scores
    have plain names: 'FID', 'KID', 'IS' and so on. Images of any size are
    scaled to 299x299 as in the original. Gray ones are read as RGB of three equal channels, alpha
    is composited on white, and of 5 or more channels the first three are read.

    Args:
        weights: torch-fidelity's file ``weights-inception-2015-12-05-6726825d.pth``; None for the
            one in torch's hub folder, which is downloaded there if it is absent.

    Raises:
        FileNotFoundError: If the file is absent, and could not be downloaded.
        ValueError: If it is another file.
    """

    name = 'inception-v3'
    resizing = 'resized to 299x299 (bilinear, without antialiasing)'
    tag = ''  # these are the scores that papers report

    def __init__(self, weights: str | Path | None = None) -> None:
        from mmgan_lite.evaluation.torch_fidelity_adapter import build_inception, obtain_inception

        super().__init__()
        path = obtain_inception() if weights is None else Path(weights).expanduser()
        self.network, self.fingerprint = build_inception(path)
        self.freeze()

    def describe_channels(self, channels: int) -> str | None:
        """How alpha or more than four channels become RGB; None for gray and RGB."""
        return describe_as_rgb(channels)

    def forward(self, images: Tensor) -> Extracted:
        """Features ``(N, 2048)`` and logits ``(N, 1008)`` of images ``(N, C, H, W)``.

        Of floats, which need not be whole, features alone.
        """
        from mmgan_lite.evaluation.torch_fidelity_adapter import inception_features

        if images.is_floating_point():
            return Extracted(inception_features(self.network, as_rgb(images)), None)
        return Extracted(*self.network(as_rgb(images)))
