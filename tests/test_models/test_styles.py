"""Truncation and mixing in W, through a generator whose styles are known."""

import pytest
import torch
from torch import nn

from mmgan_lite.models import GAN, StyleGAN2Generator
from mmgan_lite.models.styles import generate, map_latents, mix_styles, synthesize


class Styled(nn.Module):
    """``ws = z`` for each of three layers; an image is one pixel a layer."""

    latent_dim, image_shape, num_classes = 1, (1, 1, 3), None

    def __init__(self):
        super().__init__()
        self.register_buffer('w_avg', torch.tensor([10.0]))

    def mapping(self, latents, labels=None):
        assert not self.training
        return latents[:, None].expand(-1, 3, -1)

    def synthesis(self, ws):
        assert not self.training
        return ws[:, None, None, :, 0]

    def forward(self, latents, labels=None):
        return self.synthesis(self.mapping(latents, labels))


class Truncated(Styled):
    def truncate(self, ws, psi, cutoff=None):
        factors = torch.tensor([psi if cutoff is None or i < cutoff else 1.0 for i in range(3)])
        return self.w_avg + factors[:, None] * (ws - self.w_avg)


def make(generator, **parts):
    discriminator = nn.Flatten()
    loss = dict(type='NonSaturatingGANLoss')
    return GAN(generator=generator, discriminator=discriminator, loss=loss, **parts)


LATENTS = torch.tensor([[2.0], [-4.0]])


def pixels(images):
    return images.flatten(1).tolist()


@pytest.mark.parametrize('ema', [None, dict(type='ExponentialMovingAverage', momentum=0.5)])
def test_truncation_is_in_w_where_there_is_a_mean_style(ema):
    gan = make(Truncated(), ema=ema)
    gan.generator.w_avg.fill_(20.0)  # the average has its own
    mean = 20.0 if ema is None else 10.0
    near = [mean + 0.5 * (2 - mean), mean + 0.5 * (-4 - mean)]
    images = gan.sample(2, latents=LATENTS, truncation=0.5)
    assert pixels(images) == [[near[0]] * 3, [near[1]] * 3]
    images = gan.sample(2, latents=LATENTS, truncation=0.5, truncation_cutoff=1)
    assert pixels(images) == [[near[0], 2.0, 2.0], [near[1], -4.0, -4.0]]
    assert pixels(gan.sample(2, latents=LATENTS)) == [[2.0] * 3, [-4.0] * 3]
    last = gan.sample(2, latents=LATENTS, truncation=0.0, use_ema=False)
    assert pixels(last) == [[20.0] * 3] * 2
    assert gan.generator.training


def test_truncation_is_in_the_latents_where_there_is_none():
    gan = make(Styled())
    assert pixels(gan.sample(2, latents=LATENTS, truncation=0.5)) == [[1.0] * 3, [-2.0] * 3]
    with pytest.raises(ValueError, match=r'A cutoff of the truncation needs a generator with'):
        gan.sample(2, truncation=0.5, truncation_cutoff=1)


def test_styles_are_mixed_from_a_layer_on():
    gan = make(Truncated())
    numbers = torch.Generator().manual_seed(3)
    images = gan.sample(2, latents=LATENTS, generator=numbers, style_mixing=1)
    others = torch.randn(2, 1, generator=torch.Generator().manual_seed(3))[:, 0].tolist()
    assert pixels(images) == [[2.0, others[0], others[0]], [-4.0, others[1], others[1]]]
    for layer in (0, 3, True, 1.5):
        with pytest.raises(ValueError, match=r'Styles can be mixed from layer 1 to 2 on, as the'):
            gan.sample(2, style_mixing=layer)


def test_generators_without_styles_are_named(make_gan):
    for settings in (dict(style_mixing=1), dict(truncation_cutoff=2)):
        with pytest.raises(ValueError, match=r'synthesis\(ws\), but MLPGenerator has'):
            make_gan().sample(2, **settings)


def test_cutoff_past_the_layers_is_named():
    generator = StyleGAN2Generator(4, (1, 8, 8), style_dim=4, channel_max=4)
    with pytest.raises(ValueError, match=r'cutoff must lie in \[0, 4\], the layers .* got 5'):
        generate(generator, torch.randn(2, 4), None, 0.5, 5)


@torch.no_grad()
def test_parts_give_what_the_whole_gives():
    generator = StyleGAN2Generator(4, (1, 8, 8), style_dim=4, channel_max=4, num_classes=3)
    latents, labels = torch.randn(2, 4), torch.tensor([2, 0])
    ws = map_latents(generator, latents, labels)
    assert torch.equal(synthesize(generator, ws), generate(generator, latents, labels))
    mixed = mix_styles(ws[:1], ws, 3)
    assert torch.equal(mixed[:, :3], ws[:1, :3].expand(2, -1, -1))
    assert torch.equal(mixed[:, 3:], ws[:, 3:])
