"""Ways between latents and classes, against hand values."""

import pytest
import torch

from mmgan_lite.inference.interpolation import (
    INTERPOLATIONS,
    blended_classes,
    lerp,
    path_frames,
    slerp,
)


@pytest.mark.parametrize('use_ema', [True, False])
def test_blended_classes_are_a_mixture_of_embeddings(make_gan, use_ema):
    gan = make_gan(num_classes=3, ema=dict(type='ExponentialMovingAverage'))
    gan.generator.label_embedding.weight.data.add_(1.0)
    network = gan.generator_ema.module if use_ema else gan.generator
    latents = torch.randn(2, 6)
    weight = network.label_embedding.weight
    vectors = torch.stack([0.75 * weight[0] + 0.25 * weight[2], 0.5 * weight[1] + 0.5 * weight[0]])
    network.eval()
    expected = network.layers(torch.cat([latents, vectors], dim=1)).reshape(2, 1, 4, 4)
    with blended_classes(gan, torch.tensor([2, 0]), torch.tensor([0.25, 0.5])):
        found = gan.sample(2, labels=[0, 1], latents=latents, use_ema=use_ema)
    torch.testing.assert_close(found, expected)
    plain = gan.sample(2, labels=[0, 1], latents=latents, use_ema=use_ema)
    assert not torch.equal(plain, found)  # it ends with the block


def test_generator_without_embeddings(make_gan):
    gan = make_gan(num_classes=3)
    gan.generator.label_embedding = None
    with pytest.raises(ValueError, match=r'MLPGenerator has none of num_classes=3'):  # noqa: SIM117
        with blended_classes(gan, torch.tensor([1]), torch.tensor([0.5])):
            pass


def frames(*arguments):
    return [values.flatten().tolist() for values in path_frames('points', *arguments)]


def test_frames_of_a_path():
    starts, ends, fractions = frames([4, 6, 5], 2)
    assert starts == [4, 4, 6, 6, 6]
    assert ends == [6, 6, 5, 5, 5]
    assert fractions == [0.0, 0.5, 0.0, 0.5, 1.0]
    assert frames((3, 1), 1, True) == [[3, 1, 1], [1, 3, 3], [0.0, 0.0, 1.0]]


@pytest.mark.parametrize('values', [(1,), ('a', 'b'), None, (0, -1)])
def test_points_that_are_no_path(values):
    with pytest.raises(ValueError, match=r'classes must be at least two ints >= 0'):
        path_frames('classes', values, 1)


def test_methods_by_name():
    assert dict(slerp=slerp, lerp=lerp) == INTERPOLATIONS
