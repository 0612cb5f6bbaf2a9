import pytest
import torch
from torch import nn

from mmgan_lite.checkpoints.foreign import mm_dcgan
from mmgan_lite.models import DCGANDiscriminator, DCGANGenerator


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_parameter_count_of_generator():
    # Linear without bias to 128 channels of 7x7, batch norm on 128 and 64, and two 4x4
    # convolutions, the last with a bias.
    start = 100 * 128 * 7 * 7
    convolutions = 128 * 64 * 16 + 64 * 1 * 16 + 1
    assert count(DCGANGenerator()) == start + 2 * (128 + 64) + convolutions == 759_681
    # With labels: 10 vectors of 10, and 10 more inputs.
    conditional = DCGANGenerator(num_classes=10)
    assert count(conditional) - 759_681 == 10 * 10 + 10 * 128 * 7 * 7


def test_the_paper_for_64x64():
    """1024 channels at 4x4, then 512, 256, 128, and the image."""
    generator = DCGANGenerator(image_shape=(3, 64, 64), base_channels=128)
    convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.in_channels for m in convolutions] == [1024, 512, 256, 128]
    assert convolutions[-1].out_channels == 3


def test_matches_the_network_written_by_hand_of_generator():
    generator = DCGANGenerator(latent_dim=3, image_shape=(1, 28, 20), base_channels=4)
    by_hand = nn.Sequential(
        nn.Linear(3, 8 * 7 * 5, bias=False),
        nn.Unflatten(1, (8, 7, 5)),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 4, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    by_hand.load_state_dict(generator.layers.state_dict())
    latents = torch.randn(7, 3)
    torch.testing.assert_close(generator(latents), by_hand(latents))


def test_initialisation_of_the_paper_of_generator():
    generator = DCGANGenerator()
    for module in generator.modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert not module.bias.any()


def test_bad_arguments_are_named_of_generator():
    with pytest.raises(ValueError, match=r'latent_dim must be an int of at least 1, got 0'):
        DCGANGenerator(latent_dim=0)
    with pytest.raises(ValueError, match=r'base_channels must be an int of at least 1, got 0'):
        DCGANGenerator(base_channels=0)


def test_parameter_count_of_discriminator():
    # 4x4 convolutions to 64, with a bias, and 128, whose bias batch norm has; linear from 7x7.
    first, second, head = 64 * 16 + 64, 64 * 128 * 16, 128 * 49 + 1
    assert count(DCGANDiscriminator()) == first + second + 2 * 128 + head == 138_689
    # Without norm the second has a bias.
    assert count(DCGANDiscriminator(norm=False)) == first + second + 128 + head


@pytest.mark.parametrize(
    ('conditioning', 'more'),
    [
        # A map of 28x28 for each label, and a second channel for the 64 filters of 4x4.
        ('embedding', 10 * 784 + 64 * 16),
        # A vector for each label as long as the features.
        ('projection', 10 * 128 * 49),
        # A linear layer.
        ('classifier', 10 * 128 * 49 + 10),
    ],
)
def test_parameter_count_with_labels(conditioning, more):
    network = DCGANDiscriminator(num_classes=10, conditioning=conditioning)
    assert count(network) == 138_689 + more


def test_embedding_is_the_default():
    assert DCGANDiscriminator(num_classes=3).conditioning == 'embedding'
    assert DCGANDiscriminator().conditioning is None


def test_size_of_the_benchmark():
    """128 channels at 14x14 and 256 at 7x7, without norm."""
    network = DCGANDiscriminator(base_channels=128, norm=False)
    seen = [network.layers[:1], network.layers[:3]]  # to the first convolution, and the second
    image = torch.zeros(1, 1, 28, 28)
    assert [tuple(layers(image).shape[1:]) for layers in seen] == [(128, 14, 14), (256, 7, 7)]
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def test_matches_the_network_written_by_hand_of_discriminator():
    network = DCGANDiscriminator(image_shape=(1, 28, 20), base_channels=4)
    by_hand = nn.Sequential(
        nn.Conv2d(1, 4, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(4, 8, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
    )
    by_hand.load_state_dict(network.layers.state_dict())
    images = torch.randn(7, 1, 28, 20)
    weight, bias = network.head.linear.weight, network.head.linear.bias
    torch.testing.assert_close(network(images), (by_hand(images) @ weight.T + bias)[:, 0])


def test_initialisation_of_the_paper_of_discriminator():
    for module in DCGANDiscriminator().modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_batch_norm_makes_images_depend_on_each_other():
    """Why a gradient penalty needs ``norm=False``: it is about each image alone."""
    images = torch.randn(4, 1, 16, 16, requires_grad=True)
    for norm in (True, False):
        logits = DCGANDiscriminator((1, 16, 16), 4, norm=norm)(images)
        (grad,) = torch.autograd.grad(logits[0], images)
        assert bool(grad[1:].any()) is norm


def test_bad_arguments_are_named_of_discriminator():
    with pytest.raises(ValueError, match=r'base_channels must be an int of at least 1, got 1.5'):
        DCGANDiscriminator(base_channels=1.5)
    with pytest.raises(ValueError, match=r'negative_slope must be a number in \[0, 1\), got 1.5'):
        DCGANDiscriminator(negative_slope=1.5)
    message = r"conditioning must be None or one of 'embedding', 'projection', 'classifier', got 'c"
    with pytest.raises(ValueError, match=message):
        DCGANDiscriminator(num_classes=10, conditioning='concat')
    with pytest.raises(ValueError, match=r"conditioning='classifier' needs a network with classes"):
        DCGANDiscriminator(conditioning='classifier')


@torch.no_grad()
def test_generator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_dcgan_generator')
    network = golden.converted(mm_dcgan.generator)
    golden.check(network(golden.io['latents']), 'images')


@torch.no_grad()
def test_discriminator_computes_what_mmagic_does(golden_of):
    golden = golden_of('mmagic_dcgan_discriminator')
    network = golden.converted(mm_dcgan.discriminator, (3, 16, 16))
    golden.check(network(golden.io['images']), 'logits')
