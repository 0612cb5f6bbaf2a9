"""A GAN whose networks grow while they train.

Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation,
arXiv:1710.10196.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from mmgan_lite.models.gan import GAN
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.growth import GrowthSchedule
from mmgan_lite.utils.interfaces import Grows, unwrap_model
from mmgan_lite.utils.validation import check_over_0


@MODELS.register_module()
class GrowingGAN(GAN):
    """A :class:`GAN` that begins with small images, and whose networks grow to the full size.

    Each stage fades in, and the real images fade alike: between those of the stage before,
    enlarged, and those of the stage. When a stage begins, the moments of the optimizers begin anew.
    Samples of a stage before the last are enlarged to the full size, so that grids and scores of
    all stages are of one size.

    Several processes need ``model_wrapper_cfg=dict(find_unused_parameters=True)``, because later
    stages have no gradient yet.

    Args:
        settings: Arguments of :class:`GAN`. Both networks have ``last_stage`` and
            ``grow_to(stage, fade)``, such as :class:`~mmgan_lite.models.PGGANGenerator`.
        growth: ``dict(fade_images=..., stable_images=...)``: the first stage trains on
            ``stable_images``, each further one fades in over ``fade_images`` and then trains on
            ``stable_images``. Images are those of all processes.
        rates: Factor of the learning rates at each stage; ``()`` for the same at all.

    Attributes:
        images_seen: int64 tensor without dimensions, in checkpoints: real images, of all processes.

    Raises:
        ValueError: If a network cannot grow, both have not the same stages, ``rates`` is not one
            for each stage, or ``cuda_graph`` is set, which records one size.

    Example:
        >>> networks = dict(image_shape=(1, 16, 16), base_channels=16)
        >>> gan = GrowingGAN(
        ...     generator=dict(type='PGGANGenerator', latent_dim=8, **networks),
        ...     discriminator=dict(type='PGGANDiscriminator', **networks),
        ...     loss=dict(type='WassersteinGANLoss'),
        ...     growth=dict(fade_images=1000, stable_images=1000))
        >>> gan.generator.image_shape, gan.sample(2).shape
        ((1, 4, 4), torch.Size([2, 1, 16, 16]))
    """

    images_seen: Tensor

    def __init__(
        self, *, growth: Mapping[str, int], rates: Sequence[float] = (), **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.growth = GrowthSchedule(**growth)
        self.last_stage = _last_stage(self.generator, self.discriminator)
        self.rates = (
            tuple(check_over_0('rates', rate) for rate in rates) or (1.0,) * self.num_stages
        )
        if len(self.rates) != self.num_stages:
            raise ValueError(
                f'rates must be one for each of the {self.num_stages} stages, got '
                f'{len(self.rates)}. Leave it out for one rate.'
            )
        if self.cuda_graph:
            raise ValueError(
                'cuda_graph must be False for networks that grow, as a recording is of one size. '
                'Leave it out.'
            )
        self._full_shape = super().image_shape
        self.register_buffer('images_seen', torch.tensor(0))
        # The same in Python: a step must not ask the device for a number.
        self._seen, self._stage, self._fade = 0, 0, 1.0
        self.register_load_state_dict_post_hook(_read_state)
        self._set_stage(0, 1.0)

    @property
    def num_stages(self) -> int:
        """Sizes of images, from the first to the full one."""
        return self.last_stage + 1

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height and width of samples and real images: those of the last stage."""
        return self._full_shape

    def check_length(self, images: int) -> None:
        """Raise ``ValueError`` if so many images more do not suffice for the full size."""
        needed = self.growth.images_to_grow(self.last_stage)
        if self._seen + images < needed:
            raise ValueError(
                f'growth must end before the training does, got {needed} images until the last '
                f'of {self.num_stages} stages has faded in, and a training on '
                f'{self._seen + images}. Lower fade_images and stable_images, or raise max_iters.'
            )

    def train_step(self, data: Any, optim_wrapper: OptimWrapperDict) -> dict[str, Any]:
        """One iteration at the stage that is due; with ``stage`` and ``fade`` in the log."""
        self.check_optim_wrapper(optim_wrapper)
        stage, fade = self.growth.at(self._seen, self.last_stage)
        for wrapper in optim_wrapper.values():
            if stage != self._stage:  # moments of the stage before are of other losses
                wrapper.optimizer.state.clear()
            _set_rate(wrapper.optimizer, self.rates[stage])
        if (stage, fade) != (self._stage, self._fade):
            self._set_stage(stage, fade)
        log = super().train_step(data, optim_wrapper)
        images = len(data['inputs']) * get_world_size()
        self._seen += images
        self.images_seen += images
        return log | dict(stage=stage, fade=fade)

    @torch.no_grad()
    def sample(self, *args: Any, **kwargs: Any) -> Tensor:
        """As of :class:`GAN`, enlarged to the full size by the nearest pixels."""
        images = super().sample(*args, **kwargs)
        return F.interpolate(images, size=self.image_shape[1:], mode='nearest')

    def scaled(self, images: Tensor) -> Tensor:
        """Real images of the full size, at the stage and faded as those of the generator.

        Args:
            images: Float ``(N, C, H, W)``.
        """
        images = F.avg_pool2d(images, 2 ** (self.last_stage - self._stage))
        if self._fade == 1:
            return images
        old = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2, mode='nearest')
        return torch.lerp(old, images, self._fade)

    def _set_stage(self, stage: int, fade: float) -> None:
        self._stage, self._fade = stage, fade
        networks = [self.generator, self.discriminator]
        if self.generator_ema is not None:
            networks.append(self.generator_ema.module)
        for network in networks:
            unwrap_model(network).grow_to(stage, fade)


def _last_stage(*networks: Any) -> int:
    for network in networks:
        if not isinstance(network, Grows):
            raise ValueError(
                'generator and discriminator of a GrowingGAN must have last_stage and '
                f"grow_to(stage, fade), but {type(network).__name__} has not. Take type='GAN'."
            )
    first, second = (network.last_stage for network in networks)
    if first != second:
        raise ValueError(
            'last_stage of generator and discriminator must be the same, got '
            f'{first} and {second}. Build both with one image_shape.'
        )
    return first


def _set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Multiply the learning rates by the factor of the stage, in place of the one before."""
    for group in optimizer.param_groups:
        # In the group, and so in checkpoints beside the rate that it is part of.
        if (before := group.get('stage_rate', 1.0)) != factor:
            group['lr'] *= factor / before
            group['stage_rate'] = factor


def _read_state(gan: Any, _incompatible_keys: Any) -> None:
    """Copy the loaded counts to Python, after the networks have done the same."""
    generator = unwrap_model(gan.generator)
    gan._seen = int(gan.images_seen)
    gan._stage, gan._fade = int(generator.stage), float(generator.fade)
