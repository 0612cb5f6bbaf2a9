"""The only file that imports torch-fidelity: its formulas, and its Inception network.

Obukhov et al. 2020, doi:10.5281/zenodo.4957738. Its command line is not used: features come from
the extractors of mmgan_lite, and go into its functions as tensors. It is imported inside the
functions, because it imports torchvision.
"""

import hashlib
from http.client import HTTPException
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

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
    from torch_fidelity import metric_fid

    statistics = []
    for features in (fake, real):
        fitted = metric_fid.fid_features_to_statistics(features.cpu().double())
        # numpy gives the covariance of a single feature without its two axes.
        width = features.shape[1]
        statistics.append({**fitted, 'sigma': fitted['sigma'].reshape(width, width)})
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
    from torch_fidelity import metric_kid

    score = metric_kid.kid_features_to_metric(
        fake.double(),
        real.double(),
        kid_subsets=subsets,
        kid_subset_size=subset_size,
        verbose=False,
    )
    return score[metric_kid.KEY_METRIC_KID_MEAN], score[metric_kid.KEY_METRIC_KID_STD]


def inception_score(logits: Tensor, splits: int) -> tuple[float, float]:
    """``exp(E KL(p(y|x) || p(y)))``: mean and deviation over splits of the shuffled samples.

    Salimans et al. 2016, arXiv:1606.03498.

    Args:
        logits: Float ``(N, K)``.
        splits: Into how many equal parts, at most N.
    """
    from torch_fidelity import metric_isc

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
    from torch_fidelity import metric_prc

    # It takes distances as differences of squares, which keep more digits about the mean.
    mean = real.double().mean(0)
    score = metric_prc.prc_features_to_metric(
        (fake.double() - mean).float(),
        (real.double() - mean).float(),
        prc_neighborhood=neighbors,
        prc_batch_size=_BLOCK,
        save_cpu_ram=True,
        verbose=False,
    )
    return score[metric_prc.KEY_METRIC_PRECISION], score[metric_prc.KEY_METRIC_RECALL]


def obtain_inception() -> Path:
    """The path of Inception's weights in torch's hub folder, after a download if need be.

    Raises:
        FileNotFoundError: If they are absent and could not be downloaded.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = Path(torch.hub.get_dir(), 'checkpoints', URL_INCEPTION_V3.rpartition('/')[2])
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One process of a machine downloads; the others wait here and then find the file.
        with FileLock(path.with_name(f'.{path.name}.lock')):
            if not path.is_file():
                torch.hub.download_url_to_file(
                    URL_INCEPTION_V3, str(path), hash_prefix=INCEPTION_SHA256, progress=False
                )
    except (OSError, RuntimeError, HTTPException) as error:
        reason = f'{type(error).__name__}: {error}'
        raise FileNotFoundError(
            f"Inception's weights are not in '{path}' and could not be downloaded ({reason}). "
            f'Fetch {URL_INCEPTION_V3} elsewhere and put it there, or pass its path as weights.'
        ) from error
    return path


def check_inception(path: Path) -> str:
    """The sha256 of Inception's weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is another one.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"weights must be the file of Inception's weights, got '{path}', which is none. Pass "
            'its path, or weights=None to download it.'
        )
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if not sha256.startswith(INCEPTION_SHA256):
        raise ValueError(
            f"weights must be torch-fidelity's file with a sha256 that starts with "
            f"{INCEPTION_SHA256}, got '{path}' with {sha256[:8]}. Scores through other weights are "
            'no FID: use them in a ModuleExtractor.'
        )
    return sha256


def build_inception(path: Path) -> nn.Module:
    """Inception, which gives features ``(N, 2048)`` and logits ``(N, 1008)`` of uint8 RGB images.

    Args:
        path: Its weights, checked.
    """
    from torch_fidelity import FeatureExtractorInceptionV3

    # torch-fidelity unpickles the file without restrictions, and a file with the same eight digits
    # of the checksum is soon found.
    with reading(path):
        return FeatureExtractorInceptionV3(
            'inception-v3-compat',
            ['2048', 'logits_unbiased'],
            feature_extractor_weights_path=str(path),
        )
