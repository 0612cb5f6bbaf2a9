import pytest
import torch
from torch import nn

from mmgan_lite.models import MLPDiscriminator, MLPGenerator


@pytest.mark.parametrize('shape', [(1, 28, 28), (3, 8, 12), (1, 1, 1)])
@pytest.mark.parametrize('num_classes', [None, 10])
def test_shape_and_range(shape, num_classes):
    generator = MLPGenerator(latent_dim=5, image_shape=shape, num_classes=num_classes)
    labels = None if num_classes is None else torch.arange(4)
    images = generator(100 * torch.randn(4, 5), labels)
    assert images.shape == (4, *shape)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1


def test_parameter_count_of_the_tutorial_of_generator():
    # 100-128-256-512-1024-784 with biases, and weight and bias of batch norm on 256, 512, 1024.
    widths = [100, 128, 256, 512, 1024, 784]
    linear = sum(i * o + o for i, o in zip(widths, widths[1:], strict=False))
    expected = linear + 2 * (256 + 512 + 1024)
    assert sum(p.numel() for p in MLPGenerator().parameters()) == expected == 1_510_032


def test_batch_norm_has_an_eps_not_a_momentum_of_0_8():
    norms = [m for m in MLPGenerator().modules() if isinstance(m, nn.BatchNorm1d)]
    assert [(n.num_features, n.eps, n.momentum) for n in norms] == [
        (256, 1e-5, 0.1),
        (512, 1e-5, 0.1),
        (1024, 1e-5, 0.1),
    ]


def test_every_parameter_gets_a_gradient_of_generator():
    generator = MLPGenerator(4, (1, 4, 4), (8, 8), num_classes=3)
    generator(torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])).square().sum().backward()
    assert [n for n, p in generator.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_label_changes_the_image():
    generator = MLPGenerator(4, (1, 4, 4), (8, 8), num_classes=3).eval()
    latents = torch.randn(1, 4).expand(3, -1)
    images = generator(latents, torch.arange(3))
    assert (images[0] - images[1]).abs().max() > 1e-4
    assert (images[1] - images[2]).abs().max() > 1e-4


def test_eval_output_does_not_depend_on_batch_mates():
    generator = MLPGenerator(4, (1, 4, 4), (8, 8)).eval()
    latents = torch.randn(5, 4)
    torch.testing.assert_close(generator(latents)[:1], generator(latents[:1]))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r'latent_dim must be an int of at least 1, got 0'):
        MLPGenerator(latent_dim=0)
    with pytest.raises(
        ValueError, match=r'hidden_dims must be a sequence of positive ints, got \(\)'
    ):
        MLPGenerator(hidden_dims=())


def test_matches_the_network_written_by_hand_of_generator():
    generator = MLPGenerator(latent_dim=3, image_shape=(1, 2, 2), hidden_dims=(5, 6))
    by_hand = nn.Sequential(
        nn.Linear(3, 5),
        nn.LeakyReLU(0.2),
        nn.Linear(5, 6),
        nn.BatchNorm1d(6),
        nn.LeakyReLU(0.2),
        nn.Linear(6, 4),
        nn.Tanh(),
    )
    by_hand.load_state_dict(generator.layers.state_dict())
    latents = torch.randn(7, 3)
    torch.testing.assert_close(generator(latents), by_hand(latents).reshape(7, 1, 2, 2))


@pytest.mark.parametrize('shape', [(1, 28, 28), (3, 8, 12), (1, 1, 1)])
@pytest.mark.parametrize('num_classes', [None, 10])
def test_one_raw_logit_an_image(shape, num_classes):
    discriminator = MLPDiscriminator(shape, num_classes=num_classes)
    labels = None if num_classes is None else torch.arange(4)
    assert discriminator(torch.zeros(4, *shape), labels).shape == (4,)
    # A sigmoid anywhere would hold this below 1.
    assert discriminator(1e4 * torch.ones(4, *shape), labels).abs().max() > 1


def test_parameter_count_of_the_tutorial_of_discriminator():
    widths = [784, 512, 256, 1]
    expected = sum(i * o + o for i, o in zip(widths, widths[1:], strict=False))
    assert sum(p.numel() for p in MLPDiscriminator().parameters()) == expected == 533_505


def test_every_parameter_gets_a_gradient_of_discriminator():
    discriminator = MLPDiscriminator((1, 4, 4), (8,), num_classes=3)
    discriminator(torch.randn(6, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1, 2])).sum().backward()
    assert [n for n, p in discriminator.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_label_changes_the_logit():
    discriminator = MLPDiscriminator((1, 4, 4), (8,), num_classes=3)
    logits = discriminator(torch.zeros(3, 1, 4, 4), torch.arange(3))
    assert len(set(logits.tolist())) == 3


def test_matches_the_network_written_by_hand_of_discriminator():
    discriminator = MLPDiscriminator(image_shape=(1, 2, 2), hidden_dims=(5, 6))
    by_hand = nn.Sequential(
        nn.Linear(4, 5), nn.LeakyReLU(0.2), nn.Linear(5, 6), nn.LeakyReLU(0.2), nn.Linear(6, 1)
    )
    by_hand.load_state_dict(discriminator.layers.state_dict())
    images = torch.randn(7, 1, 2, 2)
    torch.testing.assert_close(discriminator(images), by_hand(images.flatten(1))[:, 0])
