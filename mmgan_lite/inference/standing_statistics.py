"""Statistics of batch norm, estimated anew for the latents that images are drawn from."""

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from mmgan_lite.models import GAN
from mmgan_lite.models.modes import evaluating
from mmgan_lite.utils.interfaces import unwrap_model
from mmgan_lite.utils.validation import check_positive


@torch.no_grad()
def set_standing_statistics(
    model: GAN,
    passes: int,
    batch_size: int = 64,
    seed: int = 0,
    truncation: float = 1.0,
    use_ema: bool = True,
) -> None:
    """Replace the generator's running statistics of batch norm by means over passes.

    Standing statistics of Brock et al. 2019 (BigGAN), arXiv:1809.11096: what training has averaged
    are statistics of latents without truncation, and of weights that are not their average.

    Args:
        model: A GAN, changed in place.
        passes: How many batches the mean is over, at least 1.
        batch_size: Images in a batch, at least 2.
        seed: Seed of the latents and labels.
        truncation: Factor of the latents, in [0, 1].
        use_ema: Whether to do so in the average of the weights, if there is one.

    Raises:
        ValueError: If an argument is out of its range, or the generator has no batch norm with
            running statistics.
    """
    check_positive('passes', passes)
    check_positive('batch_size', batch_size, minimum=2)
    average = model.generator_ema if use_ema else None
    network = unwrap_model(model.generator if average is None else average.module)
    norms = [
        module
        for module in network.modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    ]
    if not norms:
        raise ValueError(
            'standing statistics need a generator with batch norm, got '
            f'{type(network).__name__} without. Leave them out.'
        )
    momenta = [norm.momentum for norm in norms]
    generator = torch.Generator().manual_seed(seed)
    with evaluating(network):
        for norm in norms:
            norm.reset_running_stats()
            norm.train().momentum = None  # of all passes alike
        # Sampling puts a network into eval mode, in which nothing is estimated.
        for _ in range(passes):
            latents = truncation * model.sample_latents(batch_size, generator)
            labels = None
            if model.num_classes is not None:
                labels = torch.randint(model.num_classes, (batch_size,), generator=generator)
                labels = labels.to(model.device)
            network(latents, labels)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
