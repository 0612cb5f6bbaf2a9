"""Perceptual path length: how far images change on a small step between two latents.

Karras et al. 2019, A Style-Based Generator Architecture for Generative Adversarial Networks,
arXiv:1812.04948; at the ends of the paths, without a crop: Karras et al. 2020, Analyzing and
Improving the Image Quality of StyleGAN, arXiv:1912.04958. Differs: features of any extractor in the
place of LPIPS of VGG; in Z the latents keep their lengths; noise is that of the generator, and not
drawn anew for each batch.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import get_rank, get_world_size
from torch import Tensor, nn

from mmgan_lite.evaluation.metrics.base import Comparison, GANMetric
from mmgan_lite.registry import METRICS
from mmgan_lite.utils.interfaces import HasStyles, SharesGenerator
from mmgan_lite.utils.interpolation import lerp, slerp
from mmgan_lite.utils.precision import full_precision
from mmgan_lite.utils.validation import check_choice, check_over_0, check_positive


@METRICS.register_module()
class PerceptualPathLength(GANMetric):
    """``PPL_W_end``: the squared speed of the features on paths between latents; lower is better.

    Of each pair of latents two images are drawn, at t and at ``t + epsilon`` of the path, from the
    average of the weights where there is one. Their distance is that of their features, each
    divided by its norm. The score is the mean of ``distance^2 / epsilon^2``, without the pairs
    below the first and above the 99th percentile. A smooth generator has a low one, as has one that
    always gives the same image.

    The names of the scores have the name of the extractor, Inception's too: scores compare only
    with the same extractor, and none of them with the LPIPS of papers. It gets the images as
    floats, because a step of 1e-4 is less than one of uint8. All is computed in full precision,
    where float32 changes a score by less than 0.1 % at 1e-4, and by less than 1 % at 1e-5.

    Latents, labels and positions are the same in each evaluation, on any number of processes. A
    pair has one label, uniformly drawn, and the same noise.

    Args:
        space: 'w': straight between styles, before truncation; 'z': on great circles between
            latents.
        sampling: 'end': t is 0; 'full': t is uniform in [0, 1].
        num_pairs: At least 1.
        epsilon: Step, over 0.
        batch_size: Pairs in a pass of the generator, at least 1.

    Raises:
        ValueError: If an argument is out of its range.
    """

    needs = ('model', 'extractor')

    def __init__(
        self,
        space: str = 'w',
        sampling: str = 'end',
        num_pairs: int = 50_000,
        epsilon: float = 1e-4,
        batch_size: int = 50,
    ) -> None:
        super().__init__()
        self.space = check_choice('space', space, ('w', 'z'))
        self.sampling = check_choice('sampling', sampling, ('end', 'full'))
        self.num_pairs = check_positive('num_pairs', num_pairs)
        self.epsilon = check_over_0('epsilon', epsilon)
        self.batch_size = check_positive('batch_size', batch_size)
        self.settings = dict(num_pairs=num_pairs, epsilon=epsilon)
        self.score_names = (f'PPL_{space.upper()}_{sampling}',)

    def check_model(self, model: nn.Module) -> None:
        """Check that it has a generator, with styles for W.

        Raises:
            ValueError: If it has none.
        """
        if not isinstance(model, SharesGenerator):
            raise ValueError(
                'PerceptualPathLength needs a model that draws images from latents, such as GAN, '
                f'got {type(model).__name__}. Take the metric out of the list.'
            )
        network = model.sampled_generator()
        if self.space == 'w' and not isinstance(network, HasStyles):
            raise ValueError(
                "space='w' needs a generator with mapping(latents, labels) and synthesis(ws), but "
                f"{type(network).__name__} has none. Pass PerceptualPathLength(space='z')."
            )

    def draw(self, model: nn.Module, extractor: Any) -> Tensor:
        """Squared distances over ``epsilon^2`` of this process's pairs, float64 ``(N,)``."""
        self.check_model(model)
        batches = range(get_rank(), math.ceil(self.num_pairs / self.batch_size), get_world_size())
        parts = [self._measure(model, extractor, index) for index in batches]
        return torch.cat([torch.empty(0, dtype=torch.float64), *parts])

    def compute(self, comparison: Comparison) -> dict[str, float]:
        """Score under one of ``score_names``.

        Raises:
            ValueError: If nothing was drawn.
        """
        lengths = comparison.drawn
        if lengths is None or len(lengths) == 0:
            raise ValueError(
                'PerceptualPathLength needs at least 1 pair of images from draw, got 0. Evaluate '
                'with a GANEvaluator, which calls it.'
            )
        low, high = (
            torch.quantile(lengths, share, interpolation=to)
            for share, to in ((0.01, 'lower'), (0.99, 'higher'))
        )
        kept = lengths[(low <= lengths) & (lengths <= high)]
        return {self.score_names[0]: float(kept.mean())}

    def _measure(self, model: Any, extractor: Any, index: int) -> Tensor:
        """The pairs of one batch."""
        num = min(self.batch_size, self.num_pairs - index * self.batch_size)
        stream = torch.Generator().manual_seed(index)
        network, latents = model.sampled_generator(), model.sample_latents(2 * num, stream)
        device, labels = latents.device, None
        extractor.to(device)
        if model.num_classes is not None:
            labels = torch.randint(model.num_classes, (num,), generator=stream).to(device)
        start = torch.rand(num, 1, generator=stream, dtype=torch.float64).to(device)
        start = torch.zeros_like(start) if self.sampling == 'end' else start
        with full_precision(device):
            steps = [start, start + self.epsilon]
            if self.space == 'w':
                ws = network.mapping(latents, None if labels is None else labels.repeat(2))
                first, last = ws.double().chunk(2)
                points = [lerp(first, last, step[:, :, None]).to(ws.dtype) for step in steps]
                images = [_with_seed(index, network.synthesis, ws) for ws in points]
            else:
                first, last = latents.chunk(2)
                points = [slerp(first, last, step) for step in steps]
                images = [_with_seed(index, network, latents, labels) for latents in points]
            near, far = (extractor.extract((part + 1) * 127.5).features.double() for part in images)
        distances = (F.normalize(near) - F.normalize(far)).square().sum(1)
        return distances / self.epsilon**2


def _with_seed(seed: int, draw: Any, *inputs: Tensor | None) -> Tensor:
    """What a network gives, with the same random noise each time."""
    device = inputs[0].device  # type: ignore[union-attr]
    with torch.random.fork_rng([device] if device.type == 'cuda' else []):
        torch.manual_seed(seed)
        return draw(*inputs)
