"""Drawing from a trained GAN."""

import pytest
import torch

from mmgan_lite.inference import draw_images
from mmgan_lite.inference.sampling import bit_depth_of, draw_inputs, label_indices, render


def test_image_depends_on_seed_and_index_alone(make_gan):
    gan = make_gan(num_classes=3)
    images, labels = draw_images(gan, 130, seed=5)
    for num in (1, 63, 64, 65):
        fewer, fewer_labels = draw_images(gan, num, seed=5)
        assert torch.equal(fewer, images[:num])
        assert torch.equal(fewer_labels, labels[:num])
    assert not torch.equal(draw_images(gan, 130, seed=6)[0], images)


def test_dtype_and_shape(make_gan):
    images, labels = draw_images(make_gan(), 3)
    assert images.dtype == torch.uint8
    assert images.shape == (3, 1, 4, 4)
    assert labels is None


def test_images_of_16_bits(make_gan):
    gan = make_gan(data_preprocessor=dict(type='ImageBatchPreprocessor', bit_depth=16))
    images, _ = draw_images(gan, 3)
    assert images.dtype == torch.uint16
    latents, _ = draw_inputs(gan, 3)
    gan.eval()
    plain = (gan.generator(latents).double() + 1) * 32767.5
    torch.testing.assert_close(images.double(), plain, atol=0.52, rtol=0)
    assert bit_depth_of(gan) == 16
    assert bit_depth_of(make_gan()) == 8


def test_labels_are_taken_in_turn(make_gan):
    _, labels = draw_images(make_gan(num_classes=9), 5, labels=[3, 7])
    assert labels.tolist() == [3, 7, 3, 7, 3]


def test_images_match_a_plain_call_of_the_generator(make_gan):
    gan = make_gan(num_classes=9)
    images, _ = draw_images(gan, 2, seed=1, labels=[8])
    stream = torch.Generator().manual_seed(1)
    latents = []
    for _ in range(2):
        latents.append(torch.randn(1, 6, generator=stream))
        torch.randint(9, (1,), generator=stream)  # the label it would have drawn
    gan.eval()
    plain = gan.generator(torch.cat(latents), torch.tensor([8, 8]))
    torch.testing.assert_close(images.float(), (plain + 1) * 127.5, atol=0.51, rtol=0)


def test_average_or_last_weights(make_gan):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
    gan.generator.layers[-2].bias.data.fill_(50.0)
    assert draw_images(gan, 2)[0].min() < 255
    assert draw_images(gan, 2, use_ema=False)[0].min() == 255


def test_bad_arguments(make_gan):
    with pytest.raises(ValueError, match=r'num must be an int of at least 1, got 0'):
        draw_images(make_gan(), 0)
    with pytest.raises(ValueError, match=r'labels must be None for a model without classes'):
        draw_images(make_gan(), 2, labels=[1])
    with pytest.raises(ValueError, match=r'labels must be at least one int, got \[\]'):
        draw_images(make_gan(num_classes=3), 2, labels=[])
    with pytest.raises(ValueError, match=r'labels must lie in \[0, 3\), got 0 to 3'):
        draw_images(make_gan(num_classes=3), 2, labels=[0, 3])
    with pytest.raises(ValueError, match=r'labels must be at least one int, got \[0.5\]'):
        draw_images(make_gan(num_classes=3), 2, labels=[0.5])
    with pytest.raises(ValueError, match=r'num must be an int of at least 1, got 2.0'):
        draw_images(make_gan(), 2.0)
    with pytest.raises(ValueError, match=r'seed must be an int of 64 bits, got 0.5'):
        draw_images(make_gan(), 2, seed=0.5)
    for truncation in (-0.1, 1.1, float('nan')):
        with pytest.raises(ValueError, match=r'truncation must lie in \[0, 1\]'):
            draw_images(make_gan(), 2, truncation=truncation)


def test_truncation_is_a_factor_of_the_latents(make_gan):
    gan = make_gan()
    latents, _ = draw_inputs(gan, 3, seed=2)
    images, _ = draw_images(gan, 3, seed=2, truncation=0.5)
    assert torch.equal(images, render(gan, 0.5 * latents))
    still, _ = draw_images(gan, 3, seed=2, truncation=0.0)
    assert torch.equal(still, still[:1].expand(3, -1, -1, -1))


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_broken_weights_are_named_and_not_drawn_black(make_gan, value):
    gan = make_gan(ema=dict(type='ExponentialMovingAverage'))
    gan.generator_ema.module.layers[2].weight.data[0, 0] = value
    with pytest.raises(
        ValueError,
        match=r'must give finite images, .*\(generator_ema.module.layers.2.weight is not finite',
    ):
        draw_images(gan, 2)
    assert draw_images(gan, 2, use_ema=False)[0].shape == (2, 1, 4, 4)


def test_images_that_overflow_are_not_drawn_white(make_gan):
    gan = make_gan()
    gan.generator.layers[-1] = torch.nn.Identity()
    gan.generator.layers[-2].bias.data.fill_(3e38)
    gan.generator.layers[-2].weight.data.fill_(3e38)
    with pytest.raises(ValueError, match=r'got NaN or infinity \(all weights are finite\)'):
        draw_images(gan, 2)


def test_labels_by_name_and_number(make_gan):
    names, gan = ('zero', 'one'), make_gan(num_classes=2)
    assert label_indices(gan, None, names) is None
    assert label_indices(gan, 'one', names) == [1]
    assert label_indices(gan, 1) == [1]
    assert label_indices(gan, ['one', 0], names) == [1, 0]
    assert label_indices(gan, torch.tensor([[1], [0]]), names) == [1, 0]
    with pytest.raises(ValueError, match=r"got 'two'. The names are: zero, one\."):
        label_indices(gan, 'two', names)
    with pytest.raises(ValueError, match=r'The names are: none; pass numbers\.'):
        label_indices(gan, ['two'])
