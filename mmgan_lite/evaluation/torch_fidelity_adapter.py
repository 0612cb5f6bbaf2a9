"""The only file that imports torch-fidelity: its formulas, and its Inception network.

Obukhov et al. 2020, doi:10.5281/zenodo.4957738. Its command line is not used: features come from
the extractors of mmgan_lite, and go into its functions as tensors. Import this file inside
functions only, because torch-fidelity imports torchvision.
"""

import hashlib
from http.client import HTTPException
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn
from torch_fidelity import feature_extractor_inceptionv3 as inceptionv3
from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

from mmgan_lite.checkpoints import reading

# Beginning of the file's sha256, at the end of its name.
INCEPTION_SHA256 = '6726825d'
_BLOCK = 2000


def frechet_distance(fake: Tensor, real: Tensor) -> float:
    """Squared Fréchet distance of two Gaussians fitted to features.

    ``|m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))``, computed in float64. Heusel et al. 2017,
    arXiv:1706.08500.

    Args:
        fake: Float ``(N, F)``, N >= 2.
        real: Float ``(M, F)``, M >= 2.
    """
    statistics = []
    for features in (fake, real):
        fitted = metric_fid.fid_features_to_statistics(features.cpu().double())
        # numpy gives the covariance of a single feature without its two axes.
        statistics.append({**fitted, 'sigma': fitted['sigma'].reshape(features.shape[1], -1)})
    score = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)
    return score[metric_fid.KEY_METRIC_FID]


def kernel_distance(
    fake: Tensor, real: Tensor, subsets: int, subset_size: int
) -> tuple[float, float]:
    """Squared maximum mean discrepancy under a cubic kernel: mean and deviation over subsets.

    Kernel ``(x.y / F + 1)^3``, the unbiased estimate. Bińkowski et al. 2018, arXiv:1801.01401.

    Args:
        fake: Float ``(N, F)``.
        real: Float ``(M, F)``.
        subsets: How many pairs of random subsets.
        subset_size: Of each subset, at most N and M.
    """
    sizes = dict(kid_subsets=subsets, kid_subset_size=subset_size)
    score = metric_kid.kid_features_to_metric(fake.double(), real.double(), **sizes, verbose=False)
    return score[metric_kid.KEY_METRIC_KID_MEAN], score[metric_kid.KEY_METRIC_KID_STD]


def inception_score(logits: Tensor, splits: int) -> tuple[float, float]:
    """``exp(E KL(p(y|x) || p(y)))``: mean and deviation over splits of the shuffled samples.

    Salimans et al. 2016, arXiv:1606.03498.

    Args:
        logits: Float ``(N, K)``.
        splits: Into how many equal parts, at most N.
    """
    score = metric_isc.isc_features_to_metric(logits.cpu(), splits=splits)
    return score[metric_isc.KEY_METRIC_ISC_MEAN], score[metric_isc.KEY_METRIC_ISC_STD]


def precision_recall(fake: Tensor, real: Tensor, neighbors: int) -> tuple[float, float]:
    """Shares of the fakes within the reals' manifold, and of the reals within the fakes'.

    A manifold is the union of the balls that reach from each sample to its k-th neighbor.
    Kynkäänniemi et al. 2019, arXiv:1904.06991.

    Args:
        fake: Float ``(N, F)``, N > ``neighbors``.
        real: Float ``(M, F)``, M > ``neighbors``.
        neighbors: k.
    """
    # It takes distances as differences of squares, which keep more digits about the mean.
    mean = real.double().mean(0)
    score = metric_prc.prc_features_to_metric(
        *[(features.double() - mean).float() for features in (fake, real)],
        prc_neighborhood=neighbors,
        prc_batch_size=_BLOCK,
        save_cpu_ram=True,
        verbose=False,
    )
    return score[metric_prc.KEY_METRIC_PRECISION], score[metric_prc.KEY_METRIC_RECALL]


def inception_path() -> Path:
    """Where Inception's weights are in torch's hub folder, once they are downloaded."""
    name = inceptionv3.URL_INCEPTION_V3.rpartition('/')[2]
    return Path(torch.hub.get_dir(), 'checkpoints', name)


def obtain_inception() -> Path:
    """The path of Inception's weights in torch's hub folder, after a download if need be.

    Raises:
        FileNotFoundError: If they are absent and could not be downloaded.
    """
    url, path = inceptionv3.URL_INCEPTION_V3, inception_path()
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One process of a machine downloads; the others wait here and then find the file.
        with FileLock(path.with_name(f'.{path.name}.lock')):
            if not path.is_file():
                torch.hub.download_url_to_file(url, str(path), INCEPTION_SHA256, progress=False)
    except (OSError, RuntimeError, HTTPException) as error:
        raise FileNotFoundError(
            f"Inception's weights are not in '{path}' and could not be downloaded "
            f'({type(error).__name__}: {error}). Put {url} there, or pass its path as weights.'
        ) from error
    return path


def build_inception(path: Path) -> tuple[nn.Module, str]:
    """Inception, which gives features ``(N, 2048)`` and logits ``(N, 1008)`` of uint8 RGB images.

    Args:
        path: Its weights.

    Returns:
        The network, and the sha256 of its weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is another one.
    """
    if not path.is_file():
        raise FileNotFoundError(f"weights must be a file, got '{path}'. Pass None to download it.")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if not sha256.startswith(INCEPTION_SHA256):
        raise ValueError(
            f"weights must be torch-fidelity's file, whose sha256 starts with {INCEPTION_SHA256}, "
            f"got '{path}' with {sha256[:8]}. Use other weights in a ModuleExtractor: no FID."
        )
    # torch-fidelity unpickles the file without restrictions, and a file with the same eight digits
    # of the checksum is soon found.
    with reading(path):
        outputs = ['2048', 'logits_unbiased']
        network = inceptionv3.FeatureExtractorInceptionV3('inception-v3-compat', outputs, str(path))
    return network, sha256


def inception_features(network: nn.Module, images: Tensor) -> Tensor:
    """Features ``(N, 2048)`` of images between those of uint8, which the network itself refuses.

    Args:
        network: From :func:`build_inception`.
        images: Float ``(N, 3, H, W)`` of 0 to 255, which need not be whole.
    """
    side = inceptionv3.FeatureExtractorInceptionV3.INPUT_IMAGE_SIZE
    resize = inceptionv3.interpolate_bilinear_2d_like_tensorflow1x
    images = resize(images, size=(side, side), align_corners=False)
    # Its children are its steps in their order; the last one gives the logits.
    features = nn.Sequential(*list(network.children())[:-1])((images - 128) / 128)
    return features.flatten(1)
