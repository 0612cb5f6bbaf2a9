"""The Inception network that FID is defined on, through torch-fidelity."""

from pathlib import Path

from torch import Tensor

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor
from mmgan_lite.registry import MODELS


@MODELS.register_module()
class InceptionV3(FeatureExtractor):
    """2,048 features and 1,008 classes of photographs: the network of Szegedy et al. of 2015.

    Szegedy et al. 2016, Rethinking the Inception Architecture, arXiv:1512.00567. Only its scores
    have plain names: 'FID', 'KID', 'IS' and so on. Images of any size are
    scaled to 299x299 as in the original; gray ones are read as RGB of three equal channels.

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

    def forward(self, images: Tensor) -> Extracted:
        """Features ``(N, 2048)`` and logits ``(N, 1008)`` of uint8 images.

        Args:
            images: uint8 ``(N, C, H, W)``, C 1 or 3.

        Raises:
            ValueError: If there is another number of channels.
        """
        if images.shape[1] not in (1, 3):
            raise ValueError(f'InceptionV3 takes 1 or 3 channels, got {images.shape[1]}.')
        return Extracted(*self.network(images.expand(-1, 3, -1, -1)))
