"""Augmentation with a probability that follows how much the discriminator overfits.

Karras et al. 2020, Training Generative Adversarial Networks with Limited Data (ADA),
arXiv:2006.06676: the pipe 'bgc' of appendix B and the controller of section 3.1.

Differs: images are sampled bilinearly at their own resolution, where the paper works at twice the
resolution between two wavelet low-pass filters. So a rotated image is a little softer, and one
that is made smaller may alias. Beyond the border the image goes on as its reflection, the outermost
pixel twice. The probability ends at 1. Alpha moves with the image and keeps its values under
'color'; the paper has RGB images only.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from mmgan_lite.models.augmentation.diff_augment import check_policy
from mmgan_lite.registry import MODELS
from mmgan_lite.utils.image_batch import has_alpha
from mmgan_lite.utils.validation import check_positive

_POLICY = ('blit', 'geometry', 'color')
# Shifts are in units of the side of an image, scales in powers of two.
_MAX_BLIT_SHIFT = 0.125
_SHIFT_STD = 0.125
_LOG_SCALE_STD = 0.2
_BRIGHTNESS_STD = 0.2
_LOG_CONTRAST_STD = 0.5
_LOG_SATURATION_STD = 1.0


@MODELS.register_module()
class AdaptiveAugment(nn.Module):
    """Changes each image by transforms that are each applied with probability ``p``: ADA.

    - ``'blit'``: a mirror image (left and right, one time in two), a rotation by 0, 90, 180 or 270
      degrees, a shift by whole pixels, up to 1/8 of the side. The pixels of a square image move,
      and keep their values.
    - ``'geometry'``: a scale of 2 to the power N(0, 0.2^2); a rotation by any angle; the same scale
      along one axis and its inverse along the other; a second rotation; a shift by N(0, 0.125^2)
      of the side. The rotations have such a probability that ``p`` is that of any.
    - ``'color'``: brightness plus N(0, 0.2^2); contrast times 2 to the power N(0, 0.5^2); light and
      dark exchanged, one time in two; hue turned by any angle; saturation times 2 to the power
      N(0, 1). A gray image has no hue or saturation, and one of 5 or more channels has no hue: a
      turn around the gray axis, along which all channels are equal, needs three. Alpha, the last of
      2 or 4 channels, keeps its values.

    Each image has draws of its own, and each call new ones. The result may leave [-1, 1].

    The probability adapts: a discriminator that overfits is sure of real images, so that the mean
    sign of their logits nears 1. Where it is above ``target``, ``p`` grows, else it shrinks. With
    ``target=None`` it stays where it is, and a schedule may write to it:
    ``augmentation.p.fill_(0.3)``.

    On a GPU the gradient adds up in no fixed order, which ``torch.use_deterministic_algorithms``
    refuses, unless ``policy`` is ``('color',)``.

    Args:
        p: Probability to begin with, in [0, 1].
        target: Mean sign of the real logits to aim at, in (-1, 1); None for a ``p`` that does not
            adapt.
        interval: Steps of the discriminator from one change of ``p`` to the next, at least 1.
        ramp_images: Real images in which ``p`` can go from 0 to 1, at least 1.
        policy: Groups of transforms, each at most once; they act in the order given above.

    Attributes:
        p: The probability, a float32 tensor without dimensions, in checkpoints.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> augment = AdaptiveAugment(interval=1, ramp_images=100)
        >>> augment.observe(torch.full((10,), 3.0))  # all real images are recognized
        >>> augment.p
        tensor(0.1000)
    """

    p: Tensor
    sign_sum: Tensor
    num_images: Tensor
    num_batches: Tensor

    def __init__(
        self,
        p: float = 0.0,
        target: float | None = 0.6,
        interval: int = 4,
        ramp_images: int = 500_000,
        policy: Sequence[str] = _POLICY,
    ) -> None:
        super().__init__()
        if not isinstance(p, (int, float)) or not 0 <= p <= 1:
            raise ValueError(f'p must be a number in [0, 1], got {p!r}. Pass p=0.0 to begin with.')
        if target is not None and (not isinstance(target, (int, float)) or not -1 < target < 1):
            raise ValueError(
                f'target must be a number in (-1, 1) or None, got {target!r}. Pass target=0.6, '
                'or target=None to keep p where it is.'
            )
        self.target = target
        self.interval = check_positive('interval', interval)
        self.ramp_images = check_positive('ramp_images', ramp_images)
        self.policy = check_policy(policy, _POLICY)
        self.register_buffer('p', torch.tensor(p, dtype=torch.float32))
        # What was seen since p changed last.
        self.register_buffer('sign_sum', torch.tensor(0.0))
        self.register_buffer('num_images', torch.tensor(0))
        self.register_buffer('num_batches', torch.tensor(0))

    def forward(self, images: Tensor) -> Tensor:
        """Change each image.

        Args:
            images: Float ``(N, C, H, W)`` in [-1, 1], on the module's device.

        Returns:
            Of the same shape and dtype; computed in float32 or better, and differentiable any
            number of times. An image that no transform was drawn for is returned bit by bit.
        """
        changed = images.to(torch.promote_types(images.dtype, torch.float32))
        if 'blit' in self.policy or 'geometry' in self.policy:
            changed = self._move(changed)
        if 'color' in self.policy:
            changed = self._recolor(changed)
        return changed.to(images.dtype)

    @torch.no_grad()
    def observe(self, real_logits: Tensor) -> None:
        """Adapt the probability; for the GAN to call once in each step of the discriminator.

        Where several processes train, each must call it, and all get the same ``p``.

        Args:
            real_logits: Float ``(N, ...)``, of augmented real images; of a map the mean counts.
        """
        if self.target is None:
            return
        signs = real_logits.float().sign().reshape(len(real_logits), -1).mean(1)
        sign_sum = signs.sum(dtype=torch.float32)
        all_reduce(sign_sum)
        self.sign_sum += sign_sum
        self.num_images += len(real_logits) * get_world_size()
        self.num_batches += 1
        # Counted on the device: a CUDA graph repeats no decision of Python's.
        due = self.num_batches >= self.interval
        direction = (self.sign_sum / self.num_images - self.target).sign()
        self.p += due * direction * self.num_images / self.ramp_images
        self.p.clamp_(0, 1)
        for count in (self.sign_sum, self.num_images, self.num_batches):
            count.mul_(~due)

    def extra_repr(self) -> str:
        """Arguments shown by ``print(model)``."""
        return f'target={self.target}, interval={self.interval}, policy={self.policy}'

    def _move(self, images: Tensor) -> Tensor:
        """Blit and geometry, as one affine map of the places of the pixels."""
        # A pixel of the result is traced back to the image: through the inverse of the last
        # transform first. Each is as likely as its inverse, so its draw serves as the inverse.
        matrices = []
        if 'blit' in self.policy:
            matrices += self._draw_blit(images)
        if 'geometry' in self.policy:
            matrices += self._draw_geometry(images)
        matrix = functools.reduce(_compose, matrices)
        identity = torch.eye(3, dtype=images.dtype, device=images.device)
        moved = _Resample.apply(images, _sampling_grid(matrix, *images.shape[2:]))
        return _choose((matrix != identity).flatten(1).any(1), moved, images)

    def _draw_blit(self, images: Tensor) -> list[Tensor]:
        num, (height, width) = len(images), images.shape[2:]
        uniform = _uniform(4, images)
        mirrored = self._gate(num) * (2 * uniform[0]).floor()
        turns = self._gate(num) * (4 * uniform[1]).floor()
        shift = self._gate(num) * _MAX_BLIT_SHIFT * (2 * uniform[2:] - 1)
        return [
            _scaling(1 - 2 * mirrored, torch.ones_like(mirrored)),
            _rotation(turns * (math.pi / 2)),
            _shift((shift[0] * width).round(), (shift[1] * height).round()),
        ]

    def _draw_geometry(self, images: Tensor) -> list[Tensor]:
        num, (height, width) = len(images), images.shape[2:]
        normal = torch.randn(4, num, dtype=images.dtype, device=images.device)
        scale, stretch = (_LOG_SCALE_STD * self._gate(2, num) * normal[:2]).exp2()
        # Two independent gates, one of which is open with probability p.
        rotated = self._gate(2, num, p=1 - (1 - self.p).sqrt())
        angles = rotated * math.pi * (2 * _uniform(2, images) - 1)
        shift = self._gate(num) * _SHIFT_STD * normal[2:]
        return [
            _scaling(scale, scale),
            _rotation(angles[0]),
            _scaling(stretch, 1 / stretch),
            _rotation(angles[1]),
            _shift(shift[0] * width, shift[1] * height),
        ]

    def _recolor(self, images: Tensor) -> Tensor:
        """All transforms of color, as one affine map of the channels of a pixel.

        Each stretches the gray axis, or turns or stretches the plane of colors across it, so that
        they commute, but for the brightness.
        """
        num, channels = images.shape[:2]
        if has_alpha(channels):
            return torch.cat([self._recolor(images[:, :-1]), images[:, -1:]], dim=1)
        normal = torch.randn(3, num, 1, 1, dtype=images.dtype, device=images.device)
        uniform = _uniform(2, images)[:, :, None, None]
        gate = self._gate(5, num, 1, 1)
        brightness = _BRIGHTNESS_STD * gate[0] * normal[0]
        contrast = (_LOG_CONTRAST_STD * gate[1] * normal[1]).exp2()
        luma = contrast * (1 - 2 * gate[2] * (2 * uniform[0]).floor())
        angle = math.pi * gate[3] * (2 * uniform[1] - 1)
        chroma = contrast * (_LOG_SATURATION_STD * gate[4] * normal[2]).exp2()
        if channels > 3:
            gate[3].zero_()  # no hue
            mean = images.mean(1, keepdim=True)
            recolored = luma[..., None] * (mean + brightness[..., None])
            recolored = recolored + chroma[..., None] * (images - mean)
            return _choose(gate.flatten(1).any(0), recolored, images)

        identity = torch.eye(channels, dtype=images.dtype, device=images.device)
        gray = torch.full_like(identity, 1 / channels)
        # By a right angle around the gray axis; 0 for a single channel.
        quarter = (identity.roll(1, 0) - identity.roll(-1, 0)) / math.sqrt(3)
        color = angle.cos() * (identity - gray) + angle.sin() * quarter
        # A product of matrices would lose digits under autocast, or with TF32.
        columns = (luma * gray + chroma * color)[..., None, None].unbind(2)
        recolored = (luma * brightness)[..., None]
        for column, channel in zip(columns, images.unbind(1), strict=True):
            recolored = recolored + column * channel[:, None]
        return _choose(gate.flatten(1).any(0), recolored, images)

    def _gate(self, *shape: int, p: Tensor | None = None) -> Tensor:
        """1 with probability ``p`` and else 0."""
        threshold = self.p if p is None else p
        return (torch.rand(shape, device=threshold.device) < threshold).float()


def _uniform(num: int, images: Tensor) -> Tensor:
    """``num`` draws from U(0, 1) for each image, of shape ``(num, N)``."""
    return torch.rand(num, len(images), dtype=images.dtype, device=images.device)


def _choose(changed: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """The new image where ``changed``, bool ``(N,)``, and the old one elsewhere."""
    return torch.where(changed[:, None, None, None], new, old)


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    """Homogeneous matrices, ``(N, 3, 3)``, from factors ``(N,)``; so with the next two."""
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def _rotation(angle: Tensor) -> Tensor:
    matrix = _scaling(angle.cos(), angle.cos())
    matrix[:, 0, 1], matrix[:, 1, 0] = -angle.sin(), angle.sin()
    return matrix


def _shift(x: Tensor, y: Tensor) -> Tensor:
    matrix = _scaling(torch.ones_like(x), torch.ones_like(y))
    matrix[:, 0, 2], matrix[:, 1, 2] = x, y
    return matrix


def _compose(left: Tensor, right: Tensor) -> Tensor:
    """The product of matrices ``(N, 3, 3)``; matmul would lose digits under autocast."""
    return (left[:, :, :, None] * right[:, None, :, :]).sum(2)


def _sampling_grid(matrix: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel comes from, ``(N, H, W, 2)`` as ``grid_sample`` has it.

    Args:
        matrix: ``(N, 3, 3)``: from a pixel of the result to the place of the image, both in pixels
            from the center, x to the right and y downwards.
        height: Of the images.
        width: Of the images.
    """
    x = torch.arange(width, dtype=matrix.dtype, device=matrix.device) - (width - 1) / 2
    y = torch.arange(height, dtype=matrix.dtype, device=matrix.device) - (height - 1) / 2
    entry = matrix[:, :, :, None, None]
    places = entry[:, :2, 0] * x + entry[:, :2, 1] * y[:, None] + entry[:, :2, 2]
    return torch.stack([places[:, 0] * (2 / width), places[:, 1] * (2 / height)], 3)


class _Resample(torch.autograd.Function):
    """Bilinear sampling on a fixed grid, with derivatives of any order.

    PyTorch 2.5 cannot differentiate the gradient of ``grid_sample``, which R1 needs. Sampling is
    linear in the images, so its gradient is the transposed map, and the gradient of that is
    sampling again.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.size = images.shape
        return F.grid_sample(
            images, grid, mode='bilinear', padding_mode='reflection', align_corners=False
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (grid,) = ctx.saved_tensors
        return _ResampleTransposed.apply(gradients[0], grid, ctx.size), None


class _ResampleTransposed(torch.autograd.Function):
    """Gives each sample back to the pixels that it came from."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, grid: Tensor, size: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        # Of the images only the shape is used, as the grid needs no gradient.
        images = samples.new_empty(size)
        # 0, 2, False: bilinear, reflection, align_corners, as in the forward pass.
        return torch.ops.aten.grid_sampler_2d_backward(
            samples, images, grid, 0, 2, False, [True, False]
        )[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (grid,) = ctx.saved_tensors
        return _Resample.apply(gradients[0], grid), None, None
